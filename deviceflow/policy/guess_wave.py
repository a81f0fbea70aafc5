"""A wave of wrong user codes: whether so many are tried at present that guessers are at work.

The store counts the wrong codes of all people (`store/slots.py`). During a wave, each account may
try fewer of them (`rules.code_wave`). Other people are not slowed down: the rule counts by account,
and a right code clears the count.
"""

from collections.abc import Awaitable, Callable

import structlog

from deviceflow.core.clock import Clock
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder

LOOK_EVERY_S = 1.0
"""A worker asks the store at most so often."""

log = structlog.get_logger()


class GuessWave:
    """Knows whether there is a wave. May raise `StoreUnavailable`.

    `count`: returns the wrong codes of the last ten minutes. `begins_at`: how many make a wave;
    with 0 there is none.
    """

    def __init__(
        self,
        count: Callable[[], Awaitable[int]],
        begins_at: int,
        clock: Clock,
        recorder: Recorder,
    ) -> None:
        self._count = count
        self._begins_at = begins_at
        self._clock = clock
        self._recorder = recorder
        self._looked_at = -LOOK_EVERY_S
        self._is_on = False

    async def is_on(self) -> bool:
        """Say whether there is a wave, by a look that is a second old at the most."""
        now = self._clock()
        # A clock that was set back must not stop the looks.
        if self._begins_at and abs(now - self._looked_at) >= LOOK_EVERY_S:
            self._looked_at = now
            self._note(await self._count())
        return self._is_on

    def _note(self, wrong_codes: int) -> None:
        is_on = wrong_codes >= self._begins_at
        if is_on != self._is_on:
            event = "codes.wave_began" if is_on else "codes.wave_ended"
            log.warning(event, wrong_codes=wrong_codes, begins_at=self._begins_at)
        self._is_on = is_on
        self._recorder.set(table.GUESS_WAVE, is_on)
