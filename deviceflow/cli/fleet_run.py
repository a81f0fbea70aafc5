"""A run of `deviceflow fleet`: what is looked at before it, and how it is stopped."""

import asyncio
import signal

import click
import msgspec

from deviceflow.conformance.discovery import find_endpoints
from deviceflow.conformance.site import Endpoints
from deviceflow.device.answers import DEFAULT_INTERVAL_S
from deviceflow.device.client_auth import Credentials
from deviceflow.device.errors import DeviceFlowError
from deviceflow.fleet.limits import LimitError, processes_of_run, sources_for
from deviceflow.fleet.loop import run_loop
from deviceflow.fleet.plan import Plan, needs_of
from deviceflow.fleet.result import FleetResult, Scenario
from deviceflow.fleet.run import run_fleet
from deviceflow.fleet.ways import AnyWay
from deviceflow.ops.version import version

ERROR = 3


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
    """Run. Says what is wrong and exits if the server is not reached, or the machine too small."""
    try:
        return run_loop(_until_stopped(options))
    except LimitError as error:
        raise click.ClickException(str(error)) from error
    except DeviceFlowError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(ERROR) from error


async def _until_stopped(options: FleetOptions) -> FleetResult:
    """Run, and end the run at the first Ctrl-C. A second one ends the program."""
    plan = _plan(
        options,
        await find_endpoints(
            options.target, options.device_authorization_endpoint, options.token_endpoint
        ),
    )
    from deviceflow.fleet.progress import watching  # noqa: PLC0415, an extra

    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def ask_to_stop() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, ask_to_stop)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    with watching(plan.scenario.seconds) as watch:
        return await run_fleet(plan, watch, stop=stop)


def _plan(options: FleetOptions, endpoints: Endpoints) -> Plan:
    """Look at what this machine allows. May raise LimitError."""
    needs = needs_of(options.scenario, DEFAULT_INTERVAL_S)
    return Plan(
        scenario=options.scenario,
        endpoints=endpoints,
        credentials=options.credentials,
        scope=options.scope,
        way=options.way,
        version=version(),
        processes=processes_of_run(needs, options.processes),
        sources=sources_for(needs, is_loopback=endpoints.is_local, given=options.sources),
    )
