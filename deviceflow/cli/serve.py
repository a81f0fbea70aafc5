"""`deviceflow serve`: run the server."""

import os
from pathlib import Path

import click
import structlog

from deviceflow.cli.check import risks
from deviceflow.cli.options import (
    config_option,
    data_dir_option,
    fail,
    redis_url_option,
    settings_from,
)
from deviceflow.config import Settings, load
from deviceflow.config.reading import StringValue
from deviceflow.ops import logging
from deviceflow.supervisor import StartError, Supervisor

log = structlog.get_logger()


@click.command()
@config_option
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on, 0 for any free port.  [default: 8628]")
@click.option("--workers", help='Worker processes, or "auto" for one for each core.  [default: 1]')
@redis_url_option
@data_dir_option
@click.option("--admin-port", type=int, help="Port of /healthz and /readyz.  [default: 8629]")
def serve(
    config_file: Path | None,
    host: str | None,
    port: int | None,
    workers: str | None,
    redis_url: str | None,
    data_dir: str | None,
    admin_port: int | None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    A setting comes from the command line, else from its DEVICEFLOW_* variable, else from the
    file, else it has its default.
    """
    overrides: dict[str, object] = {
        "server.host": host,
        "server.port": port,
        "server.workers": None if workers is None else StringValue(workers),
        "server.data_dir": data_dir,
        "server.admin_port": admin_port,
        "redis.url": redis_url,
    }
    settings = settings_from(config_file, overrides)
    logging.configure(settings.log.level, settings.log.format)
    for warning in risks(settings):
        log.warning("settings.warning", warning=warning)
    try:
        Supervisor(settings, load=lambda: _load(config_file, overrides)).run()
    except StartError as error:
        fail(str(error))


def _load(config_file: Path | None, overrides: dict[str, object]) -> Settings:
    """Read the settings again, for a reload. May raise ConfigError."""
    settings = load(config_file, environ=os.environ, overrides=overrides)
    for warning in risks(settings):
        log.warning("settings.warning", warning=warning)
    return settings
