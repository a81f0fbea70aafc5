"""Held polls: a device waits for the decision instead of polling again.

`Prefer: wait=N` (RFC 7240 4.3) holds a pending poll until the decision, N seconds, the server's
cap or the grant's expiry, whichever comes first. The answer says `Preference-Applied: wait=N`
with the seconds that were granted. Above the limit on held polls, or beyond the share of an address
(`shares.py`), the answer comes at once, as for a device that did not ask. No task waits: a held
poll is one entry and one timer.

A device that did not ask. The operator may have its polls held, too (`core/holding.py`). It sees a
slow answer and nothing else. Three things differ:
- It may give up an answer that is slow. From then on this worker holds its polls only if it asks:
  otherwise, a device that waits 5 s for an answer would never see one.
- A quarter of the places is kept for devices that ask.
- Its hold is not announced to the other workers (see below), so a fleet of such devices costs no
  messages.

The newest poll. The server cannot see that a device has left a connection: a relay may go silent
without a FIN. So a newer poll of a grant ends an older hold of it, and the tokens go to the
connection on which the device listens now. The older poll is answered as at the end of its time.
In one worker every newer poll does this, held or not. Between workers only a held poll does that
had asked: it is announced on the push channel, so a plain poll costs no message. The announcements
of all workers have one order, in which every worker hears them. A hold ends when another worker's
announcement of the same grant comes after its own, so of several workers exactly one keeps its
hold.

The hand-over. The lane holds polls too, but it makes no tokens. When a poll that it holds is
approved, the connection does two things: it leaves the hold here, under its transport
(`hand_over`), and it feeds the poll's bytes to aiohttp. The device code grant then meets that poll
as a new request on the same transport and collects the hold (`collect`). So it knows that the poll
was held: it says so in the answer, and neither judges its pace nor holds it again.
"""

import asyncio
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable

from deviceflow.core.clock import Clock
from deviceflow.core.device_code import DeviceCode
from deviceflow.core.grant import POLL_ANSWERS, PollAnswer, State
from deviceflow.core.holding import NO_HOLD, Hold, HoldEnd, HoldRule
from deviceflow.oauth.poll.shares import NO_SHARE, PollShares
from deviceflow.store.mirror import Mirror

Finish = Callable[[PollAnswer | None], None]
"""Called once, with the answer; None means: approved, so tokens have to be made."""

# What follows a semicolon is a parameter of the preference and does not change its meaning.
_WAIT = re.compile(r"\s*wait\s*(?:=\s*(\"?)([0-9]{1,5})\1\s*)?(?:;.*)?", re.IGNORECASE)
_NAMED_WAIT = re.compile(r"\s*wait\s*(?:[=;]|$)", re.IGNORECASE)


MAX_GIVEN_UP = 65_536
"""How many grants a worker remembers as not to be held. Beyond it, it forgets the oldest."""

KEPT_FOR_ASKING = 4
"""One of so many places is kept for devices that ask."""


def requested_wait(preferences: Iterable[str]) -> int | None:
    """Return the seconds that the values of the Prefer headers ask for; None if they do not ask.

    A wait that cannot be read counts as 0 s: a client that names one decides about holding itself.
    If a preference is given twice, the first one counts, whatever it says (RFC 7240 2).
    """
    for preference in ",".join(preferences).split(","):
        if _NAMED_WAIT.match(preference):
            wait = _WAIT.fullmatch(preference)
            return int(wait[2] or 0) if wait else 0
    return None


def preference_applied(seconds: int) -> dict[str, str]:
    """Make the Preference-Applied header (RFC 7240 3); none if no preference was applied."""
    return {"Preference-Applied": f"wait={seconds}"} if seconds else {}


Announce = Callable[[int], int]
"""Announces the hold of a grant to the other workers; returns the number of the announcement."""


NOT_ANNOUNCED = 0


def _ignore(*_: str) -> None:
    return None


def _first_interval(code: DeviceCode) -> int:
    return code.interval


class HeldPolls:
    """The held polls of one worker, each under its connection's transport.

    `rule`: which polls are to be held, and how long. `shares` says whose polls share places, and
    `interval_of` which interval a grant has by now, in s.
    `on_refusal` is called with the name of the limit by which a poll is not held, and `on_end`
    with who wanted a hold ("device" or "server") and what ended it.
    """

    def __init__(
        self,
        mirror: Mirror,
        clock: Clock,
        announce: Announce,
        *,
        max_held: int,
        rule: HoldRule,
        shares: PollShares | None = None,
        interval_of: Callable[[DeviceCode], int] = _first_interval,
    ) -> None:
        self.rule = rule
        self.shares = shares or PollShares()
        self.on_refusal: Callable[[str], None] = _ignore
        self.on_end: Callable[[str, str], None] = _ignore
        self._mirror = mirror
        self._clock = clock
        self._announce = announce
        self._max_held = max_held
        self._interval_of = interval_of
        # The same held polls, by grant. The lane looks here at each poll.
        self.by_grant: dict[int, _HeldPoll] = {}
        # Transports on which the client has ended sending: perhaps it has hung up.
        self._ended: set[object] = set()
        self._held: dict[object, _HeldPoll] = {}
        self._handed_over: dict[object, Hold] = {}
        # Grants whose device gave up a hold that it had not asked for, the oldest first.
        self._given_up: OrderedDict[int, None] = OrderedDict()
        self._by_share: Counter[str] = Counter()
        mirror.on_cancellation(self._end_cancelled)

    def __len__(self) -> int:
        return len(self._held)

    def hold(
        self, transport: object, code: DeviceCode, hold: Hold, finish: Finish, share: str = NO_SHARE
    ) -> bool:
        """Hold the poll that came over `transport`; return False if it has to be answered at once.

        `transport` is None if the device has gone in the meantime. An older hold of the grant ends.
        """
        self.end_older(code.grant_id)
        if transport in self._held or transport is None or transport in self._ended:
            return False
        if not hold.is_asked and code.grant_id in self._given_up:
            return False
        if not self._has_room(share, is_asked=hold.is_asked):
            return False
        lifetime = code.expires_at - self._clock()
        held = _HeldPoll(self, transport, code, finish)
        held.share, held.is_asked = share, hold.is_asked
        self._by_share[share] += 1
        # The timer may fire a little before the clock says so: its reason is noted, not looked up.
        seconds = hold.for_interval(self._interval_of(code)).seconds
        held.ends_with_grant = lifetime <= seconds
        held.timer = asyncio.get_running_loop().call_later(min(seconds, lifetime), held.time_is_up)
        self._held[transport] = self.by_grant[code.grant_id] = held
        held.announcement = self._announce(code.grant_id) if hold.is_asked else NOT_ANNOUNCED
        self._mirror.watch(code.grant_id, held.decided)
        return True

    def _has_room(self, share: str, *, is_asked: bool) -> bool:
        left = self._max_held - len(self._held)
        if not is_asked:
            left -= self._max_held // KEPT_FOR_ASKING
        if left <= 0:
            if self._held:
                self.on_refusal("held.all")
            return False
        if share != NO_SHARE and self._by_share[share] >= left:
            self.on_refusal("held.address")
            return False
        return True

    def end_older(self, grant_id: int) -> None:
        """End the hold of a grant, because a newer poll of the grant has come.

        The newer poll came over another connection: what a client sends behind a held poll is
        read after the answer.
        """
        held = self.by_grant.get(grant_id)
        if held is not None:
            self._give_up(held, HoldEnd.NEWER_POLL)

    def end_older_elsewhere(self, grant_id: int, own: int) -> None:
        """End the hold of a grant, because another worker has announced a hold of it.

        `own`: the number of this worker's last announcement before that one. A hold that was
        announced later is the newer one, and stays.
        """
        held = self.by_grant.get(grant_id)
        if held is not None and held.announcement <= own:
            self._give_up(held, HoldEnd.NEWER_POLL)

    def _end_cancelled(self) -> None:
        """Answer the polls of a client whose grants were cancelled all together."""
        for held in [*self._held.values()]:
            if self._mirror.is_cancelled(held.code.client_id, held.code.grant_id):
                self.finish(held, PollAnswer.ACCESS_DENIED, HoldEnd.DECISION)

    def held_answer(
        self, transport: object, code: DeviceCode, hold: Hold, share: str = NO_SHARE
    ) -> asyncio.Future[PollAnswer | None] | None:
        """Hold a poll of the ordinary handler; return its future answer, or None (see `hold`)."""
        future: asyncio.Future[PollAnswer | None] = asyncio.get_running_loop().create_future()

        def finish(answer: PollAnswer | None) -> None:
            # The handler that waits for it may have been cancelled.
            if not future.done():
                future.set_result(answer)

        return future if self.hold(transport, code, hold, finish, share) else None

    def hand_over(self, transport: object, hold: Hold) -> None:
        """Leave the hold that the lane granted for the ordinary handler (see above)."""
        self._handed_over[transport] = hold

    def collect(self, transport: object) -> Hold:
        """Take the hold that the lane left for the poll on `transport`, or NO_HOLD."""
        return self._handed_over.pop(transport, NO_HOLD)

    def note_end(self, transport: object) -> None:
        """Answer the poll that is held on `transport`, and hold none there from now on.

        The client has ended sending. It may read on, or it may have hung up: that looks the same.
        """
        self._ended.add(transport)
        self._end_on(transport)

    def drop(self, transport: object) -> None:
        """Free the place of a device that has gone."""
        self._handed_over.pop(transport, None)
        self._ended.discard(transport)
        self._end_on(transport)

    def _end_on(self, transport: object) -> None:
        held = self._held.get(transport)
        if held is not None:
            self._give_up(held, HoldEnd.GONE)

    def _give_up(self, held: "_HeldPoll", end: HoldEnd) -> None:
        """End a hold for which the device did not wait, and remember that if it had not asked."""
        if not held.is_asked:
            self._given_up[held.code.grant_id] = None
            if len(self._given_up) > MAX_GIVEN_UP:
                self._given_up.popitem(last=False)
        self.finish(held, PollAnswer.AUTHORIZATION_PENDING, end)

    def drop_all(self) -> None:
        """Answer every held poll, and hold none from now on: the server is about to stop."""
        self._max_held = 0
        for transport, held in list(self._held.items()):
            self._handed_over.pop(transport, None)
            self._ended.discard(transport)
            self.finish(held, PollAnswer.AUTHORIZATION_PENDING, HoldEnd.STOP)

    def finish(self, held: "_HeldPoll", answer: PollAnswer | None, end: HoldEnd) -> None:
        """Answer one held poll, once."""
        if self._held.pop(held.transport, None) is None:
            return
        del self.by_grant[held.code.grant_id]
        self._by_share[held.share] -= 1
        if not self._by_share[held.share]:
            del self._by_share[held.share]
        held.timer.cancel()
        self._mirror.unwatch(held.code.grant_id, held.decided)
        self.on_end("device" if held.is_asked else "server", end)
        held.answer(answer)

    def is_expired(self, code: DeviceCode) -> bool:
        """Return whether the grant has ended while its poll was held."""
        return self._clock() >= code.expires_at


class _HeldPoll:
    __slots__ = (
        "_polls", "announcement", "answer", "code", "ends_with_grant", "is_asked", "share",
        "timer", "transport",
    )  # fmt: skip

    announcement: int
    ends_with_grant: bool
    is_asked: bool
    share: str
    timer: asyncio.TimerHandle

    def __init__(
        self, polls: HeldPolls, transport: object, code: DeviceCode, answer: Finish
    ) -> None:
        self._polls = polls
        self.transport = transport
        self.code = code
        self.answer = answer

    def decided(self, state: State) -> None:
        self._polls.finish(self, POLL_ANSWERS[state], HoldEnd.DECISION)

    def time_is_up(self) -> None:
        expired = self.ends_with_grant or self._polls.is_expired(self.code)
        answer = PollAnswer.EXPIRED_TOKEN if expired else PollAnswer.AUTHORIZATION_PENDING
        self._polls.finish(self, answer, HoldEnd.TIME)
