"""Options and errors that several commands share."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

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
