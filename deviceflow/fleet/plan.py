"""What every process of a run needs to know."""

import msgspec

from deviceflow.conformance.endpoints import Endpoints
from deviceflow.device.client_auth import Credentials
from deviceflow.fleet.limits import Needs, ports_needed
from deviceflow.fleet.result import Scenario
from deviceflow.fleet.styles import STYLES
from deviceflow.fleet.ways import AnyWay


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `processes` share its devices; `sources`: the addresses that connections come from."""

    scenario: Scenario
    endpoints: Endpoints
    credentials: Credentials
    scope: str
    way: AnyWay
    version: str
    processes: int = 1
    sources: tuple[str, ...] = ()


def needs_of(scenario: Scenario, interval_s: float) -> Needs:
    """Return what the devices of a scenario need of this machine.

    `interval_s`: how often they poll; it matters where each poll has a connection of its own.
    """
    closing = sum(part for name, part in scenario.styles.items() if STYLES[name].closes)
    return Needs(
        files=scenario.devices,
        ports=ports_needed(scenario.devices, scenario.devices * closing / interval_s),
    )
