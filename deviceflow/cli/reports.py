"""Files with the results of a command: checked before it runs, and written after it."""

import os
from collections.abc import Callable
from pathlib import Path

import click

REPORT = click.Path(path_type=Path, dir_okay=False)
"""The type of an option that names a file to write."""

STANDARD_OUTPUT = Path("-")
NOT_WRITTEN = 3
"""The exit status if a report is missing."""


def check_reports(*files: Path | None) -> None:
    """Check that the files can be written, before there is anything to write.

    May raise UsageError.
    """
    named = [file for file in files if file is not None]
    if len(set(named)) < len(named):
        raise click.UsageError("Two reports cannot have the same file.")
    for file in named:
        if file == STANDARD_OUTPUT:
            continue
        if not file.parent.is_dir():
            raise click.UsageError(f"{file}: there is no folder {file.parent}. Make it first.")
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise click.UsageError(f"{file}: you may not write there.")


def write_reports(reports: dict[Path | None, Callable[[], bytes]]) -> None:
    """Write each file with what its function returns. `-` is standard output, None is left out.

    One that cannot be written keeps no other from being written. Then the command ends.
    """
    is_missing = False
    for file, make in reports.items():
        if file is None:
            continue
        try:
            _write(file, make())
        except OSError as error:
            click.echo(f"Error: {file} could not be written: {error.strerror}.", err=True)
            is_missing = True
    if is_missing:
        raise SystemExit(NOT_WRITTEN)


def _write(file: Path, content: bytes) -> None:
    if file == STANDARD_OUTPUT:
        click.echo(content, nl=False)
    else:
        file.write_bytes(content)
