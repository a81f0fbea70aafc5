"""Tasks that run until they are cancelled, and their end.

Before Python 3.12, `asyncio.wait_for` may swallow a cancellation (gh-86296). redis-py, aiohttp and
aiosmtplib use it, so a task that stands on them has to be cancelled until it has ended, and
`asyncio.TaskGroup`, which cancels each task once, may wait for ever.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

CANCEL_AGAIN_S = 0.5
"""After how long a task that has not ended is cancelled again, in s."""


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until all have ended, also if this is cancelled meanwhile.

    Raises what the first that failed raised.
    """
    cancelled: asyncio.CancelledError | None = None
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        try:
            await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    for task in tasks:
        with suppress(asyncio.CancelledError):
            task.result()


async def run_together(*loops: Coroutine[Any, Any, None]) -> None:
    """Run loops that never end until cancelled, or until one fails. Raises what that one raised."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await end(*tasks)
