"""`deviceflow fleet`: load-test any server of the device flow with a fleet of virtual devices."""

from collections.abc import Sequence
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click
import msgspec

from deviceflow.cli.fleet_options import (
    ADMIN,
    BROWSER,
    FleetArguments,
    check_together,
    fleet_options,
)
from deviceflow.cli.fleet_run import FleetOptions, run_until_stopped
from deviceflow.cli.login import secret_of
from deviceflow.cli.options import fail
from deviceflow.cli.recipes import recipe_of
from deviceflow.cli.reports import STANDARD_OUTPUT, check_reports, write_reports
from deviceflow.cli.sections import SectionCommand
from deviceflow.device.client_auth import Credentials
from deviceflow.device.errors import DeviceFlowError
from deviceflow.fleet.objectives import (
    Wanted,
    default_objectives,
    judge,
    read_objective,
    read_objectives,
)
from deviceflow.fleet.people import NOBODY
from deviceflow.fleet.report.page import as_page
from deviceflow.fleet.result import FleetResult, People, Scenario, as_json
from deviceflow.fleet.styles import read_weights
from deviceflow.fleet.ways import AnyWay, ByAdminApi, ByBrowser, ByCommand, Way

MISSED = 1


@click.command(
    "fleet",
    cls=SectionCommand,
    epilog="Exit status: 0 all objectives met, 1 one missed, 2 usage, 3 no run (the server is not "
    "reached or refuses the client, or this machine allows too little) or no report.",
)
@fleet_options
@click.pass_context
def load_test(ctx: click.Context, /, **arguments: Any) -> None:  # noqa: ANN401, as FleetArguments
    """Load-test a server with a fleet of virtual devices, and say whether it met its objectives.

    Each device is a client of its own, over real connections. The server may be any server of
    RFC 8628; ask its operator before. Ctrl-C ends the run, with the result so far.
    """
    if find_spec("rich") is None:
        fail("`deviceflow fleet` needs rich: pip install 'deviceflow[fleet]'.")
    given = FleetArguments(**arguments)
    check_together(ctx, given)
    check_reports(given.json_file, given.html_file)
    wanted = _objectives(given.objectives, given.objectives_file)
    result = run_until_stopped(_options(given))
    result = msgspec.structs.replace(result, server=given.name)
    result = msgspec.structs.replace(result, objectives=judge(wanted, result))
    _show(result, on_error=given.json_file == STANDARD_OUTPUT)
    write_reports(
        {
            given.json_file: lambda: as_json(result),
            given.html_file: lambda: as_page(result).encode(),
        }
    )
    if not result.is_passed:
        raise SystemExit(MISSED)


def _options(given: FleetArguments) -> FleetOptions:
    way = _way(given)
    return FleetOptions(
        target=given.target,
        device_authorization_endpoint=given.device_authorization_endpoint,
        token_endpoint=given.token_endpoint,
        credentials=_credentials(given),
        scope=" ".join(given.scope),
        scenario=_scenario(given, way.name),
        way=way,
        processes=given.processes,
        sources=_sources(given.sources),
    )


def _scenario(given: FleetArguments, who: str) -> Scenario:
    return Scenario(
        devices=given.devices,
        arrival=given.arrival,
        seconds=given.seconds,
        styles=_weights(given.styles),
        people=People(
            by=who,
            approve=given.approve,
            deny=given.deny,
            walk_away=round(1 - given.approve - given.deny, 9),
            median_s=given.decide_after,
            sigma=given.decide_spread,
        ),
        seed=given.seed,
        hold_s=given.hold_s,
        refreshers=round(given.devices * given.refresh),
        token_clock=given.token_clock,
        ramp_s=given.ramp,
        timeout_s=given.timeout_s,
    )


def _credentials(given: FleetArguments) -> Credentials:
    if not given.client_id:
        raise click.UsageError("--client-id is empty.")
    secret = secret_of(given.client_secret_env)
    return Credentials(client_id=given.client_id, client_secret=secret)


def _sources(words: Sequence[str]) -> tuple[str, ...]:
    try:
        addresses = [ip_address(word) for word in words]
    except ValueError as error:
        raise click.UsageError(f"--source: {error}.") from error
    if len({each.version for each in addresses}) > 1:
        raise click.UsageError("--source: give addresses of IPv4 or of IPv6, not both.")
    return tuple(map(str, addresses))


def _objectives(texts: Sequence[str], file: Path | None) -> list[Wanted]:
    source = "--objective"
    try:
        wanted = [read_objective(text) for text in texts]
        if file is not None:
            source = str(file)
            wanted += read_objectives(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise click.UsageError(f"{source}: {error}") from error
    return wanted or default_objectives()


def _weights(words: Sequence[str]) -> dict[str, float]:
    try:
        return read_weights(words)
    except ValueError as error:
        raise click.UsageError(f"--style: {error}") from error


def _way(given: FleetArguments) -> AnyWay:
    how = given.approve_by
    if how == NOBODY:
        return Way()
    if how == ADMIN:
        return _opened(ByAdminApi(base=given.admin, token=secret_of(given.admin_token_env) or ""))
    if how != BROWSER:
        return _opened(ByCommand(command=how))
    if given.recipe is None:
        raise click.UsageError("--approve-by browser needs --recipe.")
    return ByBrowser(recipe=recipe_of(given.recipe, given.values))


def _opened(way: AnyWay) -> AnyWay:
    """Check that a way can be opened."""
    try:
        way.open()
    except (ValueError, DeviceFlowError) as error:
        raise click.UsageError(f"--approve-by {way.name}: {error}") from error
    return way


def _show(result: FleetResult, *, on_error: bool) -> None:
    """Print a summary on standard output, or on standard error if the first has the JSON."""
    from deviceflow.fleet.report.terminal import console_of, show  # noqa: PLC0415, an extra

    show(console_of(on_error=on_error), result)
