"""One process's share of a run: its devices, on an event loop, over real connections."""

import asyncio
import random
import time
from collections.abc import Callable

import msgspec

from deviceflow.fleet.arrivals import moments
from deviceflow.fleet.connection import Connection, Network, resolve
from deviceflow.fleet.crowd import Crowd
from deviceflow.fleet.device import VirtualDevice
from deviceflow.fleet.plan import Plan
from deviceflow.fleet.requests import Requests
from deviceflow.fleet.starting import Starting
from deviceflow.fleet.styles import Style, style_of
from deviceflow.fleet.tally import Tick
from deviceflow.fleet.world import Timer, World

CHECKS_PER_S = 10
"""Each check looks at a tenth of the devices, so that none takes long."""


class LoopTime:
    """The time since `began` (time.monotonic, which is the same in all processes of a host)."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        """Return the time."""
        return time.monotonic() - self._began

    def at(self, when: float, call: Callable[[], None]) -> Timer:
        """Plan a call. If the time has passed, it is called at once."""
        return self._loop.call_later(max(0.0, when - self.now()), call)

    async def until(self, when: float, stop: asyncio.Event) -> bool:
        """Wait until a time, or until `stop`. Return whether it was the time."""
        try:
            async with asyncio.timeout(max(0.0, when - self.now())):
                await stop.wait()
        except TimeoutError:
            return True
        return False


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The devices of a process: every `of`th one, from `number` on. `began`: as in LoopTime."""

    number: int
    of: int
    began: float

    @property
    def slice(self) -> slice:
        """The devices among all."""
        return slice(self.number, None, self.of)


async def run_share(
    plan: Plan, share: Share, on_tick: Callable[[Tick], None], stop: asyncio.Event
) -> None:
    """Run the devices until the end of the run, or until `stop`.

    Calls `on_tick` after each second, and for the rest of the last one. May raise UnreachableError
    (the server's name is not known), InsecureAddressError.
    """
    clock = LoopTime(share.began)
    requests = Requests(
        plan.endpoints, plan.credentials, plan.scope, f"deviceflow-fleet/{plan.version}"
    )
    start = await resolve(requests.authorization_at, plan.sources)
    is_same = requests.authorization_at.netloc == requests.token_at.netloc
    token = start if is_same else await resolve(requests.token_at, plan.sources)
    crowd = Crowd(plan.way.open(), clock, plan.way.at_once)
    chance = random.Random(f"{plan.scenario.seed}/{share.number}")  # noqa: S311, no secrets
    world = World(plan.scenario, clock, requests, crowd, chance)
    network = Network(clock, world.tally, start, token, plan.sources)
    devices = _devices(plan, share, world, network)
    try:
        await _count(world, clock, devices, on_tick, stop)
    finally:
        world.is_over = True
        for device in devices:
            device.stop()
        await crowd.close()
        await network.close()


def _devices(plan: Plan, share: Share, world: World, network: Network) -> list[VirtualDevice]:
    """Make the devices, and plan when they begin."""
    scenario, devices = plan.scenario, []
    when = moments(scenario, world.chance, share.slice)
    for number, moment in zip(range(scenario.devices)[share.slice], when, strict=True):
        style = style_of(number, scenario.styles)
        line = Connection(network)

        def first(style: Style = style) -> Starting:
            return Starting(world, style)

        device = VirtualDevice(world, line, first, closes=style.closes)
        device.begin(moment)
        devices.append(device)
    return devices


async def _count(
    world: World,
    clock: LoopTime,
    devices: list[VirtualDevice],
    on_tick: Callable[[Tick], None],
    stop: asyncio.Event,
) -> None:
    """Count the seconds, and look for answers that do not come."""
    seconds = world.scenario.seconds
    used, number, check, is_on = time.process_time(), 0, 0, True
    while is_on:
        check += 1
        is_on = await clock.until(min(check / CHECKS_PER_S, seconds), stop)
        now = clock.now()
        for device in devices[check % CHECKS_PER_S :: CHECKS_PER_S]:
            device.check(now)
        is_on = is_on and now < seconds
        if now >= number + 1 or not is_on:
            before, used = used, time.process_time()
            on_tick(world.tally.end_second(number, used - before))
            number += 1
