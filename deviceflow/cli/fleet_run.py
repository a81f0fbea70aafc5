"""A run of `deviceflow fleet`: what is looked at before it, and how it is stopped."""

import asyncio
import signal
from typing import NoReturn

import click
import msgspec

from deviceflow.cli.login_ends import refusal_words
from deviceflow.conformance.discovery import find_endpoints
from deviceflow.conformance.endpoints import Endpoints
from deviceflow.device.address import split_url
from deviceflow.device.answers import DEFAULT_INTERVAL_S
from deviceflow.device.client_auth import Credentials
from deviceflow.device.errors import DeviceFlowError, ServerError
from deviceflow.device.proxies import proxy_for, shown
from deviceflow.fleet.connection import resolve
from deviceflow.fleet.limits import LimitError, processes_of_run, sources_for
from deviceflow.fleet.loop import run_loop
from deviceflow.fleet.plan import Plan, needs_of
from deviceflow.fleet.result import FleetResult, Scenario
from deviceflow.fleet.run import run_fleet
from deviceflow.fleet.trial import try_once
from deviceflow.fleet.ways import AnyWay
from deviceflow.ops.version import version

NO_RUN = 3


class FleetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command line that a plan is made of."""

    target: str
    device_authorization_endpoint: str | None
    token_endpoint: str | None
    credentials: Credentials
    scope: str
    scenario: Scenario
    way: AnyWay
    processes: int | None
    sources: tuple[str, ...]


def run_until_stopped(options: FleetOptions) -> FleetResult:
    """Run.

    Ends the command with a line if the server is not reached or refuses the client, or if this
    machine allows too little.
    """
    try:
        return run_loop(_until_stopped(options))
    except ServerError as error:
        _end(refusal_words(error, options.credentials.client_id))
    except (LimitError, DeviceFlowError) as error:
        _end(str(error))


def _end(reason: str) -> NoReturn:
    click.echo(f"Error: {reason}", err=True)
    raise SystemExit(NO_RUN)


async def _until_stopped(options: FleetOptions) -> FleetResult:
    """Run, and end the run at the first Ctrl-C. A second one ends the program."""
    endpoints = await find_endpoints(
        options.target, options.device_authorization_endpoint, options.token_endpoint
    )
    plan = await _plan(options, endpoints)
    _tell_of_proxy(endpoints)
    await try_once(plan)
    from deviceflow.fleet.progress import watching  # noqa: PLC0415, an extra

    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def ask_to_stop() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, ask_to_stop)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    with watching(plan.scenario.seconds) as watch:
        return await run_fleet(plan, watch, stop=stop)


async def _plan(options: FleetOptions, endpoints: Endpoints) -> Plan:
    """Look at what this machine allows. May raise LimitError, UnreachableError."""
    needs = needs_of(options.scenario, DEFAULT_INTERVAL_S)
    server = await resolve(split_url(endpoints.token, "token endpoint"), options.sources)
    return Plan(
        scenario=options.scenario,
        endpoints=endpoints,
        credentials=options.credentials,
        scope=options.scope,
        way=options.way,
        version=version(),
        processes=processes_of_run(needs, options.processes),
        sources=sources_for(needs, server=server.host, given=options.sources),
    )


def _tell_of_proxy(endpoints: Endpoints) -> None:
    if (proxy := proxy_for(endpoints.token)) is not None:
        click.echo(
            f"Note: the devices connect to the server itself, not through the proxy {shown(proxy)}"
            " of the environment: that would measure the proxy.",
            err=True,
        )
