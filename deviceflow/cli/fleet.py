"""`deviceflow fleet`: load-test any server of the device flow with a fleet of virtual devices."""

import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click
import msgspec

from deviceflow.cli.fleet_run import FleetOptions, run_until_stopped
from deviceflow.cli.login import secret_of
from deviceflow.cli.options import fail
from deviceflow.cli.recipes import recipe_of
from deviceflow.device.client_auth import Credentials
from deviceflow.device.errors import DeviceFlowError
from deviceflow.fleet.arrivals import ARRIVALS
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
from deviceflow.fleet.styles import STYLES, read_weights
from deviceflow.fleet.ways import AnyWay, ByAdminApi, ByBrowser, ByCommand, Way

MISSED = 1
ADMIN_TOKEN = "DEVICEFLOW_ADMIN_TOKEN"  # noqa: S105, a variable's name
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?", re.ASCII)
_UNITS_S = {None: 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SHARE = click.FloatRange(0, 1)
FILE = click.Path(path_type=Path, dir_okay=False, writable=True)


class Duration(click.ParamType[float]):
    """A duration in s: 90, 90s, 5m, 1h."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it."""
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value).strip())
        seconds = float(found[1]) * _UNITS_S[found[2]] if found else 0.0
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is no duration: write 90, 90s, 5m or 1h", param, ctx)
        return seconds


@click.command(
    "fleet",
    epilog="Exit status: 0 all objectives met, 1 one missed, 2 usage, 3 the server is not reached.",
)
@click.option("--target", required=True, help="The server's address, as its metadata names it.")
@click.option("--client-id", required=True, help="A client that may use the device flow.")
@click.option("--client-secret-env", metavar="VAR", help="Variable with its secret, if it has one.")
@click.option("--scope", multiple=True, help="Scopes to ask for; may be repeated.")
@click.option(
    "--devices", default=100, show_default=True, type=click.IntRange(1, 1_000_000), help="How many."
)
@click.option(
    "--arrival",
    default="steady",
    show_default=True,
    type=click.Choice(list(ARRIVALS)),
    help="; ".join(f"{name}: {each.help}" for name, each in ARRIVALS.items()) + ".",
)
@click.option("--ramp", type=Duration(), help="Within which time a steady fleet begins.")
@click.option(
    "--for", "seconds", default="60s", show_default=True, type=Duration(), help="Length of the run."
)
@click.option(
    "--style",
    "styles",
    multiple=True,
    metavar="NAME=WEIGHT",
    help="How devices poll; may be repeated. "
    + "; ".join(f"{name}: {each.help}" for name, each in STYLES.items())
    + ".",
)
@click.option(
    "--hold",
    "hold_s",
    default=30,
    show_default=True,
    type=click.IntRange(1, 600),
    help="For how many seconds held polls ask.",
)
@click.option(
    "--timeout",
    "timeout_s",
    default="30s",
    show_default=True,
    type=Duration(),
    help="How long devices wait for an answer, beside a hold.",
)
@click.option(
    "--approve-by",
    default=NOBODY,
    show_default=True,
    metavar="HOW",
    help="Who decides: nobody, admin (the API of operators), browser (Chromium with --recipe), or "
    "a command with {verification_uri_complete}, {user_code} and {choice} in it.",
)
@click.option(
    "--admin",
    default="http://127.0.0.1:8629",
    show_default=True,
    help="Where the API of operators is. For a token, see --admin-token-env.",
)
@click.option(
    "--admin-token-env", default=ADMIN_TOKEN, show_default=True, help="Variable with its token."
)
@click.option("--recipe", help="For the browser: a file, or one that `deviceflow conform` lists.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A recipe's value.")
@click.option(
    "--approve", default=0.9, show_default=True, type=_SHARE, help="The part that is approved."
)
@click.option(
    "--deny",
    default=0.05,
    show_default=True,
    type=_SHARE,
    help="The part that is denied. Of the rest, people walk away.",
)
@click.option(
    "--decide-after",
    default="30s",
    show_default=True,
    type=Duration(),
    help="The median time until a decision.",
)
@click.option(
    "--decide-spread",
    default=0.6,
    show_default=True,
    type=click.FloatRange(0, 5),
    help="The standard deviation of its logarithm.",
)
@click.option(
    "--refresh",
    default=0.0,
    show_default=True,
    type=_SHARE,
    help="The part of devices with tokens that stay, and refresh them.",
)
@click.option(
    "--token-clock",
    default=1.0,
    show_default=True,
    type=click.FloatRange(1, 1_000_000),
    help="How many times faster tokens age: weeks of refreshing in minutes.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed draws the same fleet.")
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="OBJECTIVE",
    help="What has to hold, such as 'poll p99 < 50 ms'; may be repeated.",
)
@click.option(
    "--objectives",
    "objectives_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with objectives, one a line.",
)
@click.option(
    "--processes", type=click.IntRange(1, 256), help="Of the fleet.  [default: as files allow]"
)
@click.option("--source", "sources", multiple=True, help="Address to connect from; may be repeated")
@click.option("--json", "json_file", type=FILE, help="Write JSON to a file.")
@click.option("--html", "html_file", type=FILE, help="Write an HTML page.")
@click.option("--name", default="", help="What reports call the server, with its version.")
@click.option("--device-authorization-endpoint", help="For a server without metadata.")
@click.option("--token-endpoint", help="For a server without metadata.")
def load_test(
    target: str,
    client_id: str,
    client_secret_env: str | None,
    scope: tuple[str, ...],
    devices: int,
    arrival: str,
    ramp: float | None,
    seconds: float,
    styles: tuple[str, ...],
    hold_s: int,
    timeout_s: float,
    approve_by: str,
    admin: str,
    admin_token_env: str,
    recipe: str | None,
    values: tuple[str, ...],
    approve: float,
    deny: float,
    decide_after: float,
    decide_spread: float,
    refresh: float,
    token_clock: float,
    seed: int,
    objectives: tuple[str, ...],
    objectives_file: Path | None,
    processes: int | None,
    sources: tuple[str, ...],
    json_file: Path | None,
    html_file: Path | None,
    name: str,
    device_authorization_endpoint: str | None,
    token_endpoint: str | None,
) -> None:
    """Load-test a server with a fleet of virtual devices, and say whether it met its objectives.

    Each device is a client of its own, over real connections. The server may be any server of
    RFC 8628; ask its operator before. Ctrl-C ends the run, with the result so far.
    """
    if find_spec("rich") is None:
        fail("`deviceflow fleet` needs rich: pip install 'deviceflow[fleet]'.")
    if approve + deny > 1:
        raise click.UsageError("--approve and --deny are more than 1 together.")
    _check_folders(json_file, html_file)
    wanted = _objectives(objectives, objectives_file)
    way = _way(approve_by, admin, admin_token_env, recipe, values)
    people = People(
        by=way.name,
        approve=approve,
        deny=deny,
        walk_away=round(1 - approve - deny, 9),
        median_s=decide_after,
        sigma=decide_spread,
    )
    options = FleetOptions(
        target=target,
        device_authorization_endpoint=device_authorization_endpoint,
        token_endpoint=token_endpoint,
        credentials=Credentials(client_id=client_id, client_secret=secret_of(client_secret_env)),
        scope=" ".join(scope),
        scenario=Scenario(
            devices=devices,
            arrival=arrival,
            seconds=seconds,
            styles=_weights(styles),
            people=people,
            seed=seed,
            hold_s=hold_s,
            refreshers=round(devices * refresh),
            token_clock=token_clock,
            ramp_s=ramp,
            timeout_s=timeout_s,
        ),
        way=way,
        processes=processes,
        sources=sources,
    )
    result = msgspec.structs.replace(run_until_stopped(options), server=name)
    result = msgspec.structs.replace(result, objectives=judge(wanted, result))
    _show(result)
    if json_file:
        json_file.write_bytes(as_json(result))
    if html_file:
        html_file.write_text(as_page(result), encoding="utf-8")
    if not result.is_passed:
        raise SystemExit(MISSED)


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


def _check_folders(*files: Path | None) -> None:
    """Check that results can be written, before there are any. May raise UsageError."""
    for file in files:
        if file is not None and not os.access(file.parent, os.W_OK):
            raise click.UsageError(f"{file}: there is no folder {file.parent} to write to.")


def _weights(words: Sequence[str]) -> dict[str, float]:
    try:
        return read_weights(words)
    except ValueError as error:
        raise click.UsageError(f"--style: {error}") from error


def _way(how: str, admin: str, token_env: str, recipe: str | None, values: Sequence[str]) -> AnyWay:
    if how == NOBODY:
        return Way()
    if how == "admin":
        return _opened(ByAdminApi(base=admin, token=secret_of(token_env) or ""))
    if how != "browser":
        return _opened(ByCommand(command=how))
    if recipe is None:
        raise click.UsageError("--approve-by browser needs --recipe.")
    return ByBrowser(recipe=recipe_of(recipe, values))


def _opened(way: AnyWay) -> AnyWay:
    """Check that a way can be opened."""
    try:
        way.open()
    except (ValueError, DeviceFlowError) as error:
        raise click.UsageError(f"--approve-by {way.name}: {error}") from error
    return way


def _show(result: FleetResult) -> None:
    from rich.console import Console  # noqa: PLC0415, an extra

    from deviceflow.fleet.report.terminal import show  # noqa: PLC0415, an extra

    show(Console(), result)
