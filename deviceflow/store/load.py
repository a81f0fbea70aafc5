"""How much the store has to do: new grants wait until it can take more.

With `maxmemory` and `noeviction`, a store that is full refuses every write: sign-ins, approvals
and tokens, too. A store that is slow holds up all of them. Grants are what strangers can make any
number of, so these stop first:

- **nearly full**: the fullest primary uses more than a part of its `maxmemory`, until it uses
  RELIEF less than that;
- **slow**: two looks in a row took longer than SLOW_S, or a command of a start waits longer than
  LONGEST_WAIT_S.

A worker looks every LOAD_LOOK_S. A million grants in ten minutes are 1.3 MB between two looks.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

import structlog
from redis.exceptions import RedisError

from deviceflow.core.clock import SteadyClock
from deviceflow.store.connection import COMMAND_TIMEOUT_S, Connection
from deviceflow.store.errors import StoreUnavailable

LOAD_LOOK_S = 2.0
SLOW_S = 1.0
LONGEST_WAIT_S = COMMAND_TIMEOUT_S
"""With its turn. After that time, a round trip is repeated. A start waits for several of them."""

RELIEF = 0.05
"""A part of `maxmemory`. Without it, new grants would stop and go on at each look."""

LoadState = Literal["", "nearly full", "slow"]
"""Why no new grants are started; empty while they are."""

log = structlog.get_logger()


@dataclass(kw_only=True)
class StoreLoad:
    """What one worker sees of the store's load.

    `full_at`: the part of `maxmemory` at which the store counts as nearly full, 0 for never.
    `used_bytes`, `max_bytes`: those of the fullest primary; 0 before the first look, and
    `max_bytes` without a limit.
    """

    connection: Connection
    full_at: float
    steady: SteadyClock

    used_bytes: int = field(default=0, init=False)
    max_bytes: int = field(default=0, init=False)
    _state: LoadState = field(default="", init=False)
    _looks_s: tuple[float, float] = field(default=(0.0, 0.0), init=False)
    _refused: int = field(default=0, init=False)

    @property
    def state(self) -> LoadState:
        """Why a start should not be tried now."""
        if self._state:
            return self._state
        return "slow" if self.connection.aside.longest_wait_s > LONGEST_WAIT_S else ""

    def note_refusal(self) -> None:
        """Count a start that was refused because of the load."""
        self._refused += 1

    async def run(self) -> None:
        """Look regularly, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOAD_LOOK_S)

    async def look(self) -> None:
        """Look once. While the store is away, what was seen last holds."""
        began = self.steady()
        try:
            answers = await self.connection.everywhere("INFO", "memory")
        except (StoreUnavailable, RedisError):
            # The feed says that it is away, and starts fail by themselves.
            return
        self._looks_s = (self._looks_s[1], self.steady() - began)
        memory = [
            (int(answer.get("used_memory", 0)), int(answer.get("maxmemory", 0) or 0))
            for answer in answers.values()
        ]
        self.used_bytes, self.max_bytes = max(memory, key=_part_used, default=(0, 0))
        self._change_to(self._judge())

    def _judge(self) -> LoadState:
        relief = RELIEF if self._state == "nearly full" else 0.0
        if self.full_at and _part_used((self.used_bytes, self.max_bytes)) > self.full_at - relief:
            return "nearly full"
        return "slow" if min(self._looks_s) > SLOW_S else ""

    def _change_to(self, state: LoadState) -> None:
        if state and state != self._state:
            consequence = "no new grants; polls, approvals and tokens go on"
            log.warning(
                "store.pressed",
                reason=state,
                used_bytes=self.used_bytes,
                max_bytes=self.max_bytes,
                look_s=round(self._looks_s[1], 3),
                consequence=consequence,
            )
        elif self._state and not state:
            log.info("store.relieved", refused=self._refused)
            self._refused = 0
        self._state = state


def _part_used(memory: tuple[int, int]) -> float:
    used, most = memory
    return used / most if most else 0.0
