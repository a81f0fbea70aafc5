"""Options and errors that several commands share."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from deviceflow.config import ConfigError, Settings, load

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="DEVICEFLOW_CONFIG",
    help="The TOML file with the settings (see config/deviceflow.toml).",
)
data_dir_option = click.option(
    "--data-dir",
    help="Folder for the data of the embedded store.  [default: deviceflow-data, beside the file"
    " of --config if there is one]",
)
redis_url_option = click.option(
    "--redis-url",
    help="redis://, redis+sentinel://, redis+cluster:// (rediss for TLS) or unix://. Without it,"
    " an embedded Valkey is used.",
)

OfStore = TypeVar("OfStore", bound=Callable[..., None])


def store_options(command: OfStore) -> OfStore:
    """Add the options that say where the settings and the store are: see `store_settings`."""
    return config_option(redis_url_option(data_dir_option(command)))


def print_problem(problem: str) -> None:
    """Print what is wrong, for a person."""
    click.echo(f"deviceflow: {problem}", err=True)


def settings_from(
    config_file: Path | None,
    overrides: dict[str, object],
    report: Callable[[str], None] = print_problem,
) -> Settings:
    """Load the settings, with `overrides` from the command line. Report problems and exit."""
    try:
        return load(config_file, environ=os.environ, overrides=overrides)
    except ConfigError as error:
        for problem in error.problems:
            report(problem)
        sys.exit(1)


def store_settings(
    config_file: Path | None, redis_url: str | None, data_dir: str | None
) -> Settings:
    """Load the settings of a command with `store_options`. Report problems and exit."""
    return settings_from(config_file, {"redis.url": redis_url, "server.data_dir": data_dir})


def refuse_undecodable(what: str, text: str) -> None:
    """Exit if `text` holds bytes that are not UTF-8, from a terminal with another encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        fail(f"{what}: these bytes are not UTF-8; expected text in UTF-8")


def fail(message: str) -> NoReturn:
    """Print a line and exit with status 1."""
    print_problem(message)
    sys.exit(1)
