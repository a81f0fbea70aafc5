"""What the state machines of the store have in common: a real store, emptied for each run."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from deviceflow.store.installation import Installation
from tests.stage.clock import Clock
from tests.stage.store import Store
from tests.stage.valkey import Valkey, open_connection

T = TypeVar("T")


class StoreMachine(RuleBasedStateMachine):
    """Rules are not coroutines; `wait_for` runs one."""

    def __init__(self, valkey: Valkey, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.runner = asyncio.Runner()
        self.connection = open_connection(valkey.url)

    def teardown(self) -> None:
        self.wait_for(self.connection.close())
        self.runner.close()

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    async def empty_store(self) -> Store:
        """An installation of its own, in which nothing has happened."""
        await self.connection.command("FLUSHALL")
        return Store(self.connection, await Installation.open(self.connection), self.clock)
