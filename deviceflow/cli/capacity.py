"""`deviceflow capacity`: what hosts, proxies and store a fleet needs."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import inspect

from deviceflow.capacity.costs import Costs, read
from deviceflow.capacity.fleet import CapacityError, Fleet
from deviceflow.capacity.parts import Plan
from deviceflow.capacity.plan import plan
from deviceflow.capacity.words import (
    Row,
    details,
    markdown,
    record,
    sentences,
    setting_lines,
    size_table,
)
from deviceflow.cli.number import Number
from deviceflow.cli.options import fail
from deviceflow.cli.sections import SectionCommand, section

OF_TABLE = 1e6
"""The devices to which `--waiting` of a table belongs, unless `--devices` says it."""

_SECTIONS = {
    "devices": "Devices and their logins",
    "interval": "Polls and connections",
    "signed_in": "Devices that are signed in",
    "power_cut": "A power cut",
    "host_cores": "Hosts and store",
}
"""The sections of the help, by the field of Fleet with which each begins."""

_output = section("Costs and output")


def _fleet_fields(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each field of `Fleet`."""
    found = inspect.type_info(Fleet)
    assert isinstance(found, inspect.StructType)  # noqa: S101, what Fleet is
    for field in reversed(found.fields):
        command = _option(field)(command)
    return command


def _option(field: inspect.Field) -> Callable[[Callable[..., None]], Callable[..., None]]:
    kind, words = field.type, ""
    if isinstance(kind, inspect.Metadata):
        words = str((kind.extra_json_schema or {}).get("description", ""))
        kind = kind.type
    name = "--" + field.name.replace("_", "-")
    more: dict[str, Any] = {"help": words, "default": None}
    if not field.required:
        more |= {"default": _short(field.default), "show_default": True}
    if isinstance(kind, inspect.LiteralType):
        more["type"] = click.Choice(sorted(map(str, kind.values)))
    elif isinstance(kind, inspect.IntType):
        more["type"] = click.IntRange(kind.ge, kind.le)
    elif isinstance(kind, inspect.FloatType):
        more["type"] = Number(kind.ge, kind.le)
    elif isinstance(kind, inspect.BoolType):
        name = f"{name}/--no-{name[2:]}"
    return section(_section_of(field.name))(name, field.name, **more)


def _section_of(name: str) -> str:
    """Return the title under which the help lists a field: that of the last one that has one."""
    title = ""
    for each in Fleet.__struct_fields__:
        title = _SECTIONS.get(each, title)
        if each == name:
            break
    return title


def _short(default: object) -> object:
    """Return a default as the help should show it: 60 in place of 60.0."""
    return int(default) if isinstance(default, float) and default.is_integer() else default


@click.command(cls=SectionCommand)
@_fleet_fields
@_output(
    "--costs",
    "costs_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML or JSON with costs that you have measured, or a part of them.",
)
@_output("--table", "is_table", is_flag=True, help="Print only a table, for 10^4 to 10^8 devices.")
@_output("--json", "is_json", is_flag=True, help="Print JSON, for programs.")
def capacity(costs_file: Path | None, *, is_table: bool, is_json: bool, **fields: object) -> None:
    """Say what hosts, proxies, store and network a fleet needs.

    It computes that from measured costs. docs/capacity.md says how, and what the model leaves out.
    """
    if is_table and is_json:
        raise click.UsageError("--table prints no JSON: leave out one of them.")
    if fields["devices"] is None:
        if not is_table:
            raise click.UsageError("How many devices? Give --devices, such as --devices 2e6.")
        fields["devices"] = OF_TABLE
    try:
        costs = read(costs_file)
        fleet = msgspec.convert(fields, Fleet)
        if is_table:
            fleet.check()
            click.echo(markdown(size_table(fleet, costs)))
            return
        found = plan(fleet, costs)
    except CapacityError as error:
        fail(str(error))
    if is_json:
        click.echo(json.dumps(record(found, costs), indent=1))
    else:
        _print(found, costs)


def _print(found: Plan, costs: Costs) -> None:
    for line in sentences(found):
        click.echo(line)
    for title, rows in details(found):
        click.echo()
        click.echo(title)
        _print_table(rows)
    if found.settings:
        click.echo("\nSettings that need more than their default")
        for line in setting_lines(found):
            click.echo(f"  {line}")
    for warning in found.warnings:
        click.echo(f"\nWarning: {warning}")
    click.echo(f"\nCosts measured on {costs.measured_on}: {costs.machine}.")


def _print_table(rows: Sequence[Row]) -> None:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        click.echo("  " + "  ".join([first.ljust(widths[0]), *cells]))
