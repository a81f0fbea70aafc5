"""Calls that take turns, because each needs a connection of its own and there are only so many."""

import asyncio
import time


class Turns:
    """Lets at most `most` calls go on at the same time: `async with` waits for a turn."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        # When each call that waits began to wait, the oldest first.
        self._waiting: dict[object, float] = {}

    @property
    def longest_wait_s(self) -> float:
        """The longest time that a call has waited so far, 0 if none waits."""
        began = next(iter(self._waiting.values()), None)
        return 0.0 if began is None else time.monotonic() - began

    async def __aenter__(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        place = object()
        self._waiting[place] = time.monotonic()
        try:
            await self._free.acquire()
        finally:
            del self._waiting[place]

    async def __aexit__(self, *_: object) -> None:
        self._free.release()
