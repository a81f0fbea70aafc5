"""Waiting for something that other tasks and the store bring about."""

import asyncio
from collections.abc import Callable

from deviceflow.core.grant import State
from deviceflow.store.mirror import Mirror


async def until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until `condition` holds, which nothing announces."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110, there is no event to wait for
            await asyncio.sleep(0.005)


async def decision(mirror: Mirror, grant_id: int, within_s: float = 10.0) -> State:
    """Wait until `mirror` is told the decision of a grant."""
    told: asyncio.Future[State] = asyncio.get_running_loop().create_future()

    def tell(state: State) -> None:
        if not told.done():
            told.set_result(state)

    mirror.watch(grant_id, tell)
    try:
        return await asyncio.wait_for(told, within_s)
    finally:
        mirror.unwatch(grant_id, tell)
