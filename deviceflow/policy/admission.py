"""Which devices may start a grant now: limits in layers, the most general first.

| limit | counted by | setting | of a client |
|---|---|---|---|
| start.store | | limits.store_memory_percent | |
| start.client | client | limits.starts | starts |
| start.network | client and /48 of IPv6 | limits.starts_per_network | starts_per_network |
| start.address | client and IPv4 address or /64 | limits.starts_per_address | starts_per_address |
| start.live | client, by unexpired grants | limits.live_grants | live_grants |

- **The load.** While the store is nearly full, or slow, no grant is started (`store/load.py`).
- **The store** judges a start in one script (`store/starts.py`). The first refusal ends it, and a
  refused start writes nothing.
- **The first line** is in each worker: it remembers which limit has refused, and until when. So a
  flood is refused from memory, and asks the store a few times a second.
- **The answer comes late.** A refusal takes a third of the work of a start, so a flood that is
  answered at once comes back three times as fast, and keeps the worker from everything else. So
  a refusal is answered after HOLD_BACK_S: 64 connections then send 64 requests a second.
- **The turn.** Devices behind one address may be an honest fleet after a power cut. If all that are
  refused came back in the same second, most would be refused again. So each is told to come
  later than the one before, by the time in which one start gets free. Turns reach a minute at most,
  for a person may stand before the device; then they begin again.

Every limit is by client: a device that shares an address with a flood of another client is not
touched. A limit of 0 is off.
"""

import asyncio
import secrets
from math import ceil
from typing import NamedTuple, NoReturn

import structlog

from deviceflow.config import GrantLimits
from deviceflow.core.address import rate_key, site_key
from deviceflow.core.client import Client
from deviceflow.core.clock import Clock
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.store.load import StoreLoad
from deviceflow.store.starts import (
    REFILL_S,
    START_LIMITS,
    Start,
    StartLimit,
    StartLimits,
    StartRefusal,
    Starts,
)

SHORTEST_MEMORY_S = 0.2
"""A refusal is remembered at least so long: a bucket of 30,000 has room again after 0.02 s."""

LONGEST_MEMORY_S = 5.0
"""And at most so long, because an operator may raise a limit meanwhile."""

LATEST_TURN_S = 60.0

PRESSED_PAUSE_S = 15
"""While the store is pressed, a device must wait this time, up to twice as long."""

HOLD_BACK_S = 1.0
MOST_HELD_BACK = 1000
"""Cap on the answers that a worker holds back. Beyond it, refusals are answered at once."""

REMEMBERED = 10_000
"""Cap on the refusals that a worker remembers. Beyond it, it forgets all, and asks the store."""

log = structlog.get_logger()


class TooManyStarts(Exception):  # noqa: N818, it states a condition, not a mistake
    """A limit refuses a start. `wait_s`: when to try again, at least 1."""

    def __init__(self, limit: StartLimit, wait_s: int) -> None:
        super().__init__(f"start.{limit}: wait {wait_s} s")
        self.limit = limit
        self.wait_s = wait_s


class StorePressed(Exception):  # noqa: N818, it states a condition, not a mistake
    """The store is nearly full, or slow. `wait_s`: when to try again."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"wait {wait_s} s")
        self.wait_s = wait_s


class Attempt(NamedTuple):
    """A device that wants to start a grant, from `address`."""

    start: Start
    address: str


class _Refused(NamedTuple):
    """What a worker remembers of a limit that has refused: times, as the clock has them.

    `until`: when it asks the store again. `room_at`: when the limit has room.
    """

    until: float
    room_at: float
    next_turn: float


_Key = tuple[StartLimit, str, str]
"""A limit, a client id, and a network or an empty text."""


class StartAdmission:
    """Admits or refuses the starts that reach one worker."""

    def __init__(
        self,
        starts: Starts,
        load: StoreLoad,
        defaults: GrantLimits,
        clock: Clock,
        recorder: Recorder,
    ) -> None:
        self._starts = starts
        self._load = load
        self._defaults = defaults
        self._clock = clock
        self._recorder = recorder
        self._held_back = 0
        self._refused: dict[_Key, _Refused] = {}
        self._lines = ThinnedLog(("(others)", "", ""), clock)

    def attempt(self, client: Client, address: str, lifetime_s: int) -> Attempt:
        """Return an attempt, unless this worker knows it to be over a limit. It asks no store.

        May raise StorePressed, TooManyStarts.
        """
        if self._load.state:
            self._load.note_refusal()
            self._note("start.store", client.client_id)
            raise StorePressed(PRESSED_PAUSE_S + secrets.randbelow(PRESSED_PAUSE_S))
        start = Start(
            client_id=client.client_id,
            limits=limits_of(client, self._defaults),
            network=site_key(address),
            address=rate_key(address),
            lifetime=lifetime_s,
        )
        attempt = Attempt(start, address)
        if self._refused:
            self._check(attempt)
        return attempt

    async def admit(self, attempt: Attempt) -> None:
        """Count a start over all workers. May raise TooManyStarts, StoreUnavailable."""
        if not any(attempt.start.limits):
            return
        refusal = await self._starts.admit(attempt.start)
        if refusal is not None:
            self._remember(refusal, attempt)

    async def hold_back(self) -> None:
        """Wait before a refusal is answered."""
        if self._held_back >= MOST_HELD_BACK:
            return
        self._held_back += 1
        try:
            await asyncio.sleep(HOLD_BACK_S)
        finally:
            self._held_back -= 1

    def _check(self, attempt: Attempt) -> None:
        now = self._clock()
        for limit in START_LIMITS:
            key = _key(limit, attempt.start)
            refused = self._refused.get(key)
            if refused is None:
                continue
            if refused.until > now:
                self._refuse(key, refused, attempt)
            if refused.next_turn <= now:
                del self._refused[key]

    def _remember(self, refusal: StartRefusal, attempt: Attempt) -> None:
        now = self._clock()
        key = _key(refusal.limit, attempt.start)
        known = self._refused.get(key)
        if known is None and len(self._refused) >= REMEMBERED:
            self._refused.clear()
        memory_s = min(max(refusal.wait_s, SHORTEST_MEMORY_S), LONGEST_MEMORY_S)
        room_at = now + refusal.wait_s
        # Turns that were given before stay in order.
        next_turn = max(known.next_turn if known else 0.0, room_at)
        self._refuse(key, _Refused(now + memory_s, room_at, next_turn), attempt)

    def _refuse(self, key: _Key, refused: _Refused, attempt: Attempt) -> NoReturn:
        """Raise TooManyStarts, and note whose turn is next."""
        now, limit = self._clock(), key[0]
        turn = refused.next_turn
        if turn > now + LATEST_TURN_S:
            turn = min(refused.room_at, now + LATEST_TURN_S)
        between_s = REFILL_S / max(1, getattr(attempt.start.limits, limit))
        self._refused[key] = refused._replace(next_turn=turn + between_s)
        self._note(f"start.{limit}", attempt.start.client_id, attempt)
        raise TooManyStarts(limit, max(1, ceil(turn - now)))

    def _note(self, name: str, client_id: str, attempt: Attempt | None = None) -> None:
        """Count a refusal, and log it, thinned out; with `attempt` by its address, too."""
        self._recorder.count(table.REFUSALS, name)
        near = attempt.start.address if attempt else ""
        line = self._lines.note((name, client_id, near))
        if line is None:
            return
        (name, client_id, where), times = line
        # Of a network, the log has one address, which `log.addresses` shortens. A line about many
        # kinds is about no address.
        address = attempt.address if attempt and where == near else ""
        log.warning("limit.refused", limit=name, client_id=client_id, address=address, times=times)


def limits_of(client: Client, defaults: GrantLimits) -> StartLimits:
    """Return a client's limits: its own, or those of the settings."""
    return StartLimits(
        client=_own_or_default(client.starts, defaults.starts),
        network=_own_or_default(client.starts_per_network, defaults.starts_per_network),
        address=_own_or_default(client.starts_per_address, defaults.starts_per_address),
        live=_own_or_default(client.live_grants, defaults.live_grants),
    )


def _own_or_default(own: int | None, default: int) -> int:
    return default if own is None else own


def _key(limit: StartLimit, start: Start) -> _Key:
    where = {"network": start.network, "address": start.address}.get(limit)
    return limit, start.client_id, where or ""
