"""`deviceflow fleet-compare`: the results of several runs side by side."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import click

from deviceflow.cli.options import fail
from deviceflow.cli.reports import REPORT, check_reports, write_reports
from deviceflow.fleet.report.comparison import as_page, as_table, differences
from deviceflow.fleet.result import FleetResult, read_result

_RESULT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("results", nargs=-1, required=True, type=_RESULT)
@click.option("--html", "html_file", type=REPORT, help="Write an HTML page.")
def fleet_compare(results: tuple[Path, ...], html_file: Path | None) -> None:
    """Put the JSON results of `deviceflow fleet` side by side, with ratios to the first one."""
    if find_spec("rich") is None:
        fail("`deviceflow fleet-compare` needs rich: pip install 'deviceflow[fleet]'.")
    if len(set(results)) == 1:
        raise click.UsageError("Give two results or more.")
    check_reports(html_file)
    runs = _named(results)
    _show(runs)
    write_reports({html_file: lambda: as_page(runs).encode()})


def _named(paths: tuple[Path, ...]) -> dict[str, FleetResult]:
    """Read the results, and name each by its server, or by its file if several are the same."""
    found = [(path, _read(path)) for path in paths]
    servers = Counter(result.server for _, result in found)
    named = {
        result.server if result.server and servers[result.server] == 1 else path.stem: result
        for path, result in found
    }
    # Files of the same name in different folders.
    return named if len(named) == len(found) else {str(path): result for path, result in found}


def _read(path: Path) -> FleetResult:
    try:
        return read_result(path.read_bytes())
    except (OSError, ValueError) as error:
        raise click.UsageError(
            f"{path} is no result that `deviceflow fleet --json` has written: {error}"
        ) from error


def _show(runs: dict[str, FleetResult]) -> None:
    from deviceflow.fleet.report.terminal import console_of, show_table  # noqa: PLC0415, an extra

    show_table(console_of(), *as_table(runs))
    if found := differences(list(runs.values())):
        click.echo(f"\nThe runs differ in: {', '.join(found)}. Compare with care.")
