"""What `reload` and `upgrade` have in common: a command for the running server, and its answer."""

import os
from pathlib import Path

import click

from deviceflow.cli.options import fail
from deviceflow.config import data_dir_of
from deviceflow.supervisor.control import ask


def change(command: str, config_file: Path | None, data_dir: str | None) -> None:
    """Have the running server do `command`. Print why it did not, and exit."""
    folder = data_dir_of(config_file, os.environ, data_dir)
    answer = ask(folder, command)
    if answer is None:
        fail(f"no server answers in {folder}; name its folder with --data-dir, or send a signal")
    if answer.problems:
        for problem in answer.problems:
            click.echo(f"deviceflow: {problem}", err=True)
        click.echo("deviceflow: nothing changed", err=True)
        raise SystemExit(1)
    click.echo(f"{command} done")
