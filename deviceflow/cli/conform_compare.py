"""`deviceflow conform-compare`: several servers' results side by side."""

from pathlib import Path

import click

from deviceflow.conformance.report.comparison import as_markdown, read_report, without_exchanges


@click.command()
@click.argument("reports", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--shorten", is_flag=True, help="Take the exchanges out of the files, to keep what is small."
)
def conform_compare(reports: tuple[Path, ...], *, shorten: bool) -> None:
    """Put the JSON reports of `deviceflow conform` side by side, as Markdown."""
    found = []
    for path in reports:
        try:
            text = path.read_bytes()
            found.append(read_report(text))
        except (OSError, ValueError) as error:
            raise click.UsageError(f"{path}: {error}") from error
        if shorten:
            path.write_bytes(without_exchanges(text))
    click.echo(as_markdown(found), nl=False)
