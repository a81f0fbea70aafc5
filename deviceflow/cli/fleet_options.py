"""The options of `deviceflow fleet`, as its help lists them, and those that need another one."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import msgspec
from click.core import ParameterSource

from deviceflow.cli.duration import Duration
from deviceflow.cli.number import Number
from deviceflow.cli.reports import REPORT
from deviceflow.cli.sections import section, with_options
from deviceflow.fleet.arrivals import ARRIVALS
from deviceflow.fleet.people import NOBODY
from deviceflow.fleet.styles import STYLES

ADMIN_TOKEN = "DEVICEFLOW_ADMIN_TOKEN"  # noqa: S105, a variable's name
ADMIN, BROWSER = "admin", "browser"

_SHARE = Number(0, 1)
_server = section("The server and its client")
_devices = section("The devices")
_people = section("The people")
_tokens = section("After the login")
_verdict = section("Verdict and reports")
_machine = section("This machine")


class FleetArguments(msgspec.Struct, frozen=True, kw_only=True):
    """The command line. Durations in s; `approve`, `deny` and `refresh` from 0 to 1."""

    target: str
    client_id: str
    client_secret_env: str | None
    scope: tuple[str, ...]
    device_authorization_endpoint: str | None
    token_endpoint: str | None
    devices: int
    arrival: str
    ramp: float | None
    seconds: float
    styles: tuple[str, ...]
    hold_s: int
    timeout_s: float
    seed: int
    approve_by: str
    admin: str
    admin_token_env: str
    recipe: str | None
    values: tuple[str, ...]
    approve: float
    deny: float
    decide_after: float
    decide_spread: float
    refresh: float
    token_clock: float
    objectives: tuple[str, ...]
    objectives_file: Path | None
    json_file: Path | None
    html_file: Path | None
    name: str
    processes: int | None
    sources: tuple[str, ...]


fleet_options = with_options(
    _server("--target", required=True, help="The server's address, as its metadata names it."),
    _server("--client-id", required=True, help="A client that may use the device flow."),
    _server("--client-secret-env", metavar="VAR", help="Variable with its secret, if it has one."),
    _server("--scope", multiple=True, help="Scopes to ask for; may be repeated."),
    _server("--device-authorization-endpoint", help="For a server without metadata."),
    _server("--token-endpoint", help="For a server without metadata."),
    _devices(
        "--devices",
        default=100,
        show_default=True,
        type=click.IntRange(1, 1_000_000),
        help="How many.",
    ),
    _devices(
        "--arrival",
        default="steady",
        show_default=True,
        type=click.Choice(list(ARRIVALS)),
        help="; ".join(f"{name}: {each.help}" for name, each in ARRIVALS.items()) + ".",
    ),
    _devices("--ramp", type=Duration(), help="Within which time a steady fleet begins."),
    _devices(
        "--for",
        "seconds",
        default="60s",
        show_default=True,
        type=Duration(),
        help="Length of the run: 90, 90s, 5m or 1h.",
    ),
    _devices(
        "--style",
        "styles",
        multiple=True,
        metavar="NAME=WEIGHT",
        help="How devices poll; may be repeated. "
        + "; ".join(f"{name}: {each.help}" for name, each in STYLES.items())
        + ".  [default: obedient]",
    ),
    _devices(
        "--hold",
        "hold_s",
        default=30,
        show_default=True,
        type=click.IntRange(1, 600),
        help="For how many seconds held polls ask.",
    ),
    _devices(
        "--timeout",
        "timeout_s",
        default="30s",
        show_default=True,
        type=Duration(),
        help="How long devices wait for an answer, beside a hold.",
    ),
    _devices("--seed", default=1, show_default=True, help="The same seed draws the same fleet."),
    _people(
        "--approve-by",
        default=NOBODY,
        show_default=True,
        metavar="HOW",
        help="How codes are decided: by nobody (they expire); admin (the API of operators); "
        "browser (Chromium with --recipe); or a command with {verification_uri_complete}, "
        "{user_code} and {choice} in it.",
    ),
    _people(
        "--admin",
        default="http://127.0.0.1:8629",
        show_default=True,
        help="Where the API of operators is.",
    ),
    _people(
        "--admin-token-env",
        default=ADMIN_TOKEN,
        show_default=True,
        metavar="VAR",
        help="Variable with a token of that API.",
    ),
    _people("--recipe", help="For the browser: a file, or one that `deviceflow conform` lists."),
    _people("--set", "values", multiple=True, metavar="NAME=VALUE", help="A recipe's value."),
    _people(
        "--approve",
        default=0.9,
        show_default=True,
        type=_SHARE,
        help="The part that is approved, from 0 to 1.",
    ),
    _people(
        "--deny",
        default=0.05,
        show_default=True,
        type=_SHARE,
        help="The part that is denied. Of the rest, people walk away.",
    ),
    _people(
        "--decide-after",
        default="30s",
        show_default=True,
        type=Duration(),
        help="The median time until a decision.",
    ),
    _people(
        "--decide-spread",
        default=0.6,
        show_default=True,
        type=Number(0, 5),
        help="The standard deviation of its logarithm.",
    ),
    _tokens(
        "--refresh",
        default=0,
        show_default=True,
        type=_SHARE,
        help="The part of devices with tokens that stay, and refresh them.",
    ),
    _tokens(
        "--token-clock",
        default=1,
        show_default=True,
        type=Number(1, 1_000_000),
        help="How many times faster tokens age: weeks of refreshing in minutes.",
    ),
    _verdict(
        "--objective",
        "objectives",
        multiple=True,
        metavar="OBJECTIVE",
        help="What has to hold, such as 'poll p99 < 50 ms'; may be repeated.",
    ),
    _verdict(
        "--objectives",
        "objectives_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file with objectives, one a line.",
    ),
    _verdict("--json", "json_file", type=REPORT, help="Write JSON to a file; - is the output."),
    _verdict("--html", "html_file", type=REPORT, help="Write an HTML page."),
    _verdict("--name", default="", help="What reports call the server, with its version."),
    _machine(
        "--processes",
        type=click.IntRange(1, 256),
        help="Over how many the fleet is spread.  [default: as open files allow]",
    ),
    _machine(
        "--source",
        "sources",
        multiple=True,
        metavar="ADDRESS",
        help="Address of this machine to connect from; may be repeated.",
    ),
)
"""Adds all options. The command receives them as the fields of FleetArguments."""

_Rule = Callable[[FleetArguments], bool]

_NEEDED: Final[tuple[tuple[tuple[str, ...], str, _Rule], ...]] = (
    (("ramp",), "--arrival steady", lambda given: given.arrival == "steady"),
    (
        ("hold_s",),
        "--style held",
        lambda given: any(style.partition("=")[0] == "held" for style in given.styles),
    ),
    (("admin", "admin_token_env"), "--approve-by admin", lambda given: given.approve_by == ADMIN),
    (("recipe", "values"), "--approve-by browser", lambda given: given.approve_by == BROWSER),
    (
        ("approve", "deny", "decide_after", "decide_spread", "refresh"),
        "--approve-by: without it, no code is decided",
        lambda given: given.approve_by != NOBODY,
    ),
    (("token_clock",), "--refresh", lambda given: given.refresh > 0),
)
"""Options that mean nothing without another one: a person who gives them expects something."""


def check_together(ctx: click.Context, given: FleetArguments) -> None:
    """Check that the options suit each other. May raise UsageError."""
    if given.approve + given.deny > 1:
        raise click.UsageError("--approve and --deny are more than 1 together.")
    for names, needed, is_there in _NEEDED:
        for option in ctx.command.params:
            source = ctx.get_parameter_source(option.name or "")
            if (
                option.name in names
                and source is ParameterSource.COMMANDLINE
                and not is_there(given)
            ):
                raise click.UsageError(f"{option.opts[0]} needs {needed}.")
