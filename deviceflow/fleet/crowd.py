"""The people of a run at work: each decision is a task, and as many run at once as is allowed."""

import asyncio

from deviceflow.conformance.decisions import Decisions, ToDecide, Undecided
from deviceflow.fleet.world import Deciding, Time
from deviceflow.tasks import end

PRESS_AGAIN_S = 2.0
"""How long a person waits before a second try, if the server could not take the decision, in s."""


class NotNow(Undecided):
    """The server cannot take a decision now: the same one may be sent again."""


class Crowd:
    """Makes decisions by `decisions`, at most `at_once` of them at the same time."""

    def __init__(self, decisions: Decisions, time: Time, at_once: int) -> None:
        self._decisions, self._time = decisions, time
        self._free = asyncio.Semaphore(at_once)
        self._tasks: set[asyncio.Task[None]] = set()

    def decide(self, what: ToDecide, deciding: Deciding) -> None:
        """Begin to decide."""
        task = asyncio.get_running_loop().create_task(self._decide(what, deciding))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End the decisions that are under way."""
        await end(*self._tasks)
        await self._decisions.close()

    async def _decide(self, what: ToDecide, deciding: Deciding) -> None:
        began = self._time.now()
        while True:
            try:
                async with self._free:
                    # The device may have gone while this decision waited for its turn.
                    if not deciding.is_wanted:
                        return
                    await self._decisions.decide(what)
            except NotNow as error:
                deciding.refused(str(error))
                await asyncio.sleep(PRESS_AGAIN_S)
            except Undecided as error:
                # After the colon is the output of a program, which may have a code in it.
                deciding.refused(str(error).partition(":")[0])
                return
            except Exception as error:  # noqa: BLE001, a browser fails in many ways, and each counts
                # Its text may have the address in it, and with it the code.
                deciding.refused(type(error).__name__)
                return
            else:
                deciding.acknowledged(self._time.now() - began)
                return
