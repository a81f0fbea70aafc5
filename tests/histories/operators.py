"""Operators: they disable and enable, end all grants of a client, rotate keys and reload.

They use the commands and the API, one after the other, and put right what they disabled.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from deviceflow.supervisor.control import ask
from tests.histories.devices import LAMP
from tests.histories.history import Outcome
from tests.histories.people import PERSONS
from tests.histories.site import Site
from tests.histories.wire import Wire, acknowledge

OPERATOR = "operator"
DISABLED_S = 2.0, 8.0
SOON_S = 1.0


class Operators:
    """The operators of a run. `pause_s`: the mean time between two orders."""

    def __init__(self, site: Site, wire: Wire, pause_s: float, seed: int) -> None:
        self._site, self._wire, self._pause_s = site, wire, pause_s
        self._chance = random.Random(f"{seed} operators")  # noqa: S311, no secret
        self._orders: dict[Callable[[], Awaitable[None]], int] = {
            self._disable_a_person: 5,
            self._disable_a_client: 2,
            self._revoke_a_client: 2,
            self._rotate_keys: 1,
            self._reload: 2,
        }

    async def work(self, stopping: asyncio.Event) -> None:
        """Give orders until `stopping` is set."""
        while not stopping.is_set():
            await asyncio.sleep(self._chance.uniform(0.5, 1.5) * self._pause_s)
            order = self._chance.choices([*self._orders], [*self._orders.values()])[0]
            await order()

    async def _disable_a_person(self) -> None:
        sub = self._chance.choice(PERSONS)
        await self._command("disable", "users", sub, sub=sub)
        await asyncio.sleep(self._chance.uniform(*DISABLED_S))
        await self._until_done("enable", "users", sub, sub=sub)

    async def _disable_a_client(self) -> None:
        await self._command("disable-client", "clients", LAMP, client=LAMP)
        await asyncio.sleep(self._chance.uniform(*DISABLED_S))
        await self._until_done("enable-client", "clients", LAMP, client=LAMP)

    async def _until_done(self, name: str, group: str, who: str, **args: str) -> None:
        while not await self._command(name, group, who, **args):  # noqa: ASYNC110, a process each
            await asyncio.sleep(SOON_S)

    async def _command(self, name: str, group: str, *words: str, **args: str) -> bool:
        """Run a command of the program. One that fails may have changed something."""
        with self._wire.history.operation(OPERATOR, name, **args) as operation:
            if await self._site.command(group, name.partition("-")[0], *words) == 0:
                operation.outcome = Outcome.DONE
        return operation.is_done

    async def _revoke_a_client(self) -> None:
        desk = self._chance.randrange(len(self._wire.desks))
        with self._wire.history.operation(OPERATOR, "revoke-client", client=LAMP) as operation:
            reply = await self._wire.order(operation, desk, f"/clients/{LAMP}/revoke")
            acknowledge(operation, reply)

    async def _rotate_keys(self) -> None:
        await self._command("rotate-keys", "keys")

    async def _reload(self) -> None:
        """Have one host read its settings again. A host that is away does not."""
        host = self._chance.choice(self._site.hosts)
        with self._wire.history.operation(OPERATOR, "reload") as operation:
            answer = await asyncio.to_thread(ask, host.data_dir, "reload")
            if answer is not None and not answer.problems:
                operation.outcome = Outcome.DONE
