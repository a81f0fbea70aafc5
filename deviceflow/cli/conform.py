"""`deviceflow conform`: hold any RFC 8628 server against the standards."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

import click
import msgspec

from deviceflow.cli.login import secret_of
from deviceflow.cli.options import fail
from deviceflow.cli.recipes import RECIPES, recipe_of
from deviceflow.cli.reports import REPORT, STANDARD_OUTPUT, check_reports, write_reports
from deviceflow.conformance.browser import InBrowser, find_chromium
from deviceflow.conformance.check import Check, Result
from deviceflow.conformance.checks import CATALOGUE
from deviceflow.conformance.decisions import AskPerson, Decisions, NoDecisions, RunCommand
from deviceflow.conformance.discovery import find_endpoints
from deviceflow.conformance.profiles import PROFILES, Profile
from deviceflow.conformance.report import Run
from deviceflow.conformance.report.machine import as_json, as_junit
from deviceflow.conformance.report.page import as_page
from deviceflow.conformance.run import Listener, run
from deviceflow.conformance.site import Parties, Politeness, Site
from deviceflow.device.client_auth import Credentials
from deviceflow.device.errors import DeviceFlowError
from deviceflow.ops.version import version

NOT_PASSED, ERROR = 1, 3


class ConformOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command line."""

    issuer: str
    client: Credentials
    other: Credentials | None
    scope: str
    decisions: Decisions
    device_authorization_endpoint: str | None
    token_endpoint: str | None
    rate: float
    may_guess: bool


@click.command(
    epilog="Exit status: 0 passed, 1 not passed, 2 usage, 3 the server is not reached, or a report "
    "is not written."
)
@click.option("--issuer", help="The address of the server, as its metadata names it.")
@click.option("--client-id", help="A client that may use the device flow.")
@click.option("--client-secret", help="Its secret, if it has one. Better: --client-secret-env.")
@click.option("--client-secret-env", metavar="VAR", help="Environment variable with the secret.")
@click.option("--other-client-id", help="A second client: can it take the first one's codes?")
@click.option("--other-client-secret-env", metavar="VAR", help="Variable with its secret.")
@click.option("--scope", multiple=True, help="Scopes to ask for; may be repeated.")
@click.option(
    "--approve",
    default="none",
    show_default=True,
    metavar="HOW",
    help="Who decides: none, ask (you, here), browser (Chromium with --recipe), or a command "
    "with {verification_uri_complete}, {user_code} and {choice} in it.",
)
@click.option("--recipe", help="For the browser: a file, or one of --list-recipes.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A recipe's value.")
@click.option(
    "--profile",
    "profile_name",
    type=click.Choice(list(PROFILES)),
    default="rfc8628",
    show_default=True,
    help="; ".join(f"{name}: {profile.help}" for name, profile in PROFILES.items()) + ".",
)
@click.option("--only", multiple=True, metavar="ID", help="Checks by id or group; * is a wildcard.")
@click.option("--skip", multiple=True, metavar="ID", help="The opposite of --only.")
@click.option("--list", "lists", is_flag=True, help="List the checks of the profile, and end.")
@click.option("--list-recipes", is_flag=True, help="List the recipes that come along, and end.")
@click.option("--json", "json_file", type=REPORT, help="Write JSON to a file; - is the output.")
@click.option("--junit", "junit_file", type=REPORT, help="Write JUnit XML.")
@click.option("--html", "html_file", type=REPORT, help="Write an HTML page.")
@click.option("--name", default="", help="What reports call the server, with its version.")
@click.option(
    "--rate",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0.1, 1000),
    help="Requests a second, at most.",
)
@click.option(
    "--guess-at",
    metavar="ISSUER",
    help="Type 30 wrong user codes, last of all. Name the issuer again: it may lock the person.",
)
@click.option("--device-authorization-endpoint", help="For a server without metadata.")
@click.option("--token-endpoint", help="For a server without metadata.")
def conform(
    issuer: str | None,
    client_id: str | None,
    client_secret: str | None,
    client_secret_env: str | None,
    other_client_id: str | None,
    other_client_secret_env: str | None,
    scope: tuple[str, ...],
    approve: str,
    recipe: str | None,
    values: tuple[str, ...],
    profile_name: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    json_file: Path | None,
    junit_file: Path | None,
    html_file: Path | None,
    name: str,
    rate: float,
    guess_at: str | None,
    device_authorization_endpoint: str | None,
    token_endpoint: str | None,
    *,
    lists: bool,
    list_recipes: bool,
) -> None:
    """Hold a server against RFC 8628 and its neighbours: every check with its clause.

    The server is used as devices use it, over HTTP. It may be any server. Requests are few (see
    --rate), and a 429 ends the run.
    """
    if find_spec("rich") is None:
        fail("`deviceflow conform` needs rich: pip install 'deviceflow[conform]'.")
    if list_recipes:
        click.echo("\n".join(sorted(path.stem for path in RECIPES.glob("*.toml"))))
        return
    profile = PROFILES[profile_name]
    check_reports(json_file, junit_file, html_file)
    chosen = _chosen(profile, only, skip)
    if lists:
        _list(chosen)
        return
    if issuer is None or client_id is None:
        raise click.UsageError("Give --issuer and --client-id.")
    if guess_at not in (None, issuer):
        raise click.UsageError(f"--guess-at is not {issuer}.")
    secret = client_secret or secret_of(client_secret_env)
    other_secret = secret_of(other_client_secret_env)
    options = ConformOptions(
        issuer=issuer,
        client=Credentials(client_id=client_id, client_secret=secret),
        other=Credentials(client_id=other_client_id, client_secret=other_secret)
        if other_client_id
        else None,
        scope=" ".join(scope),
        decisions=_decisions(approve, recipe, values),
        device_authorization_endpoint=device_authorization_endpoint,
        token_endpoint=token_endpoint,
        rate=rate,
        may_guess=guess_at is not None,
    )
    outcome = _run(options, chosen, profile, name)
    _show(outcome, on_error=json_file == STANDARD_OUTPUT)
    write_reports(
        {
            json_file: lambda: as_json(outcome),
            junit_file: lambda: as_junit(outcome),
            html_file: lambda: as_page(outcome).encode(),
        }
    )
    if not outcome.is_passed:
        raise SystemExit(NOT_PASSED)


def _chosen(profile: Profile, only: Sequence[str], skip: Sequence[str]) -> list[Check]:
    """Choose the checks. Raises UsageError for a word that fits none."""
    for word in (*only, *skip):
        if not any(_fits(each, word) for each in CATALOGUE.values()):
            raise click.UsageError(f"No check is called {word}. --list names them.")
    found = [each for each in CATALOGUE.values() if profile.has(each) or only]
    if only:
        found = [each for each in found if any(_fits(each, word) for word in only)]
    return [each for each in found if not any(_fits(each, word) for word in skip)]


def _fits(each: Check, word: str) -> bool:
    return fnmatchcase(each.id, word) or fnmatchcase(each.group, word)


def _decisions(how: str, recipe: str | None, values: Sequence[str]) -> Decisions:
    if how == "none":
        return NoDecisions()
    if how == "ask":
        return AskPerson()
    if how == "browser":
        if recipe is None:
            raise click.UsageError("--approve browser needs --recipe.")
        return InBrowser(recipe_of(recipe, values), find_chromium())
    try:
        return RunCommand(how)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error


def _list(chosen: list[Check]) -> None:
    from rich.console import Console  # noqa: PLC0415, an extra

    from deviceflow.conformance.report.terminal import show_list  # noqa: PLC0415, an extra

    show_list(Console(), chosen)


def _run(options: ConformOptions, chosen: list[Check], profile: Profile, name: str) -> Run:
    from rich.console import Console  # noqa: PLC0415, an extra

    from deviceflow.conformance.report.terminal import progress  # noqa: PLC0415, an extra

    began, start = datetime.now(UTC), time.monotonic()
    console = Console(stderr=True)
    try:
        with progress(console, len(chosen)) as on_result:
            results = asyncio.run(_judge_all(options, chosen, on_result))
    except DeviceFlowError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(ERROR) from error
    return Run(
        issuer=options.issuer,
        server=name,
        profile=profile.name,
        began=began,
        seconds=round(time.monotonic() - start, 1),
        version=version(),
        is_passed=profile.is_passed(results),
        results=results,
    )


def _show(outcome: Run, *, on_error: bool) -> None:
    """Print a summary on standard output, or on standard error if the first has the JSON."""
    from rich.console import Console  # noqa: PLC0415, an extra

    from deviceflow.conformance.report.terminal import show  # noqa: PLC0415, an extra

    show(Console(stderr=on_error), outcome)


async def _judge_all(
    options: ConformOptions, chosen: list[Check], on_result: Listener
) -> list[Result]:
    endpoints = await find_endpoints(
        options.issuer, options.device_authorization_endpoint, options.token_endpoint
    )
    parties = Parties(
        client=options.client,
        decisions=options.decisions,
        other=options.other,
        scope=options.scope,
        may_guess=options.may_guess,
    )
    try:
        async with Site(endpoints, parties, Politeness(options.rate)) as site:
            return await run(site, chosen, on_result)
    finally:
        await options.decisions.close()
