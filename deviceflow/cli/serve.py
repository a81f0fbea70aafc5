"""`deviceflow serve`: run the server."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import structlog

from deviceflow.cli.check import risks
from deviceflow.cli.host_risks import command_line_risks, folder_risks
from deviceflow.cli.options import (
    config_option,
    data_dir_option,
    print_problem,
    redis_url_option,
    settings_from,
)
from deviceflow.config import Settings, load
from deviceflow.config.reading import StringValue
from deviceflow.ops import logging
from deviceflow.supervisor.errors import StartError, TrialError
from deviceflow.supervisor.server import Supervisor

log = structlog.get_logger()


@click.command()
@config_option
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on, 0 for any free port.  [default: 8628]")
@click.option("--workers", help='Worker processes, or "auto" for one for each core.  [default: 1]')
@redis_url_option
@data_dir_option
@click.option(
    "--admin-port", type=int, help="Port of /healthz, /readyz and /metrics.  [default: 8629]"
)
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
    settings = settings_from(config_file, overrides, _report)
    logging.configure(settings.log.level, settings.log.format, settings.log.addresses)
    here = (*folder_risks(settings), *command_line_risks(redis_url))
    for warning in (*risks(settings), *here):
        log.warning("settings.warning", warning=warning)
    try:
        _require_extras(settings)
        Supervisor(settings, load=lambda: _load(config_file, overrides)).run()
    except TrialError as error:
        print_problem(str(error))
        sys.exit(1)
    except StartError as error:
        report_failure(str(error), settings.log.format)
        sys.exit(1)


def _load(config_file: Path | None, overrides: dict[str, object]) -> Settings:
    """Read the settings again, for a reload. May raise ConfigError."""
    settings = load(config_file, environ=os.environ, overrides=overrides)
    for warning in risks(settings):
        log.warning("settings.warning", warning=warning)
    return settings


def _require_extras(settings: Settings) -> None:
    """Raise StartError if a setting needs a package that is not installed."""
    if settings.tracing.enabled and find_spec("opentelemetry") is None:
        raise StartError('tracing.enabled needs OpenTelemetry: pip install "deviceflow[otel]"')


def report_failure(problem: str, form: str) -> None:
    """Say why the server cannot start: a line for a person, an event where the log is JSON."""
    if form == "json":
        log.critical("server.failed", problem=problem)
    else:
        print_problem(problem)


def _report(problem: str) -> None:
    """Say what is wrong with the settings. Only the environment can tell the log's format now."""
    form = os.environ.get("DEVICEFLOW_LOG_FORMAT", "")
    if form == "json":
        logging.configure("info", "json")
    report_failure(problem, form)
