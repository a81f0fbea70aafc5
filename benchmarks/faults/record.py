"""What devices and people saw during a run, and what of it must not be.

A grant's decision is noted before a person sends it, and again when the server has acknowledged
it. In between, either outcome of the request is right: its answer may have been lost.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

APPROVE, DENY = "approve", "deny"
TOKENS, DENIED = "tokens", "access_denied"
PENDING, SLOW_DOWN = "authorization_pending", "slow_down"
ENDS = {APPROVE: TOKENS, DENY: DENIED}
"""How the device must end, by the decision."""

MOST_EXAMPLES = 5


class Tokens(NamedTuple):
    """An access token, in two parts, and a refresh token.

    Each answer is signed anew, and two ES256 signatures of the same claims differ.
    """

    claims: str
    signature: str
    refresh_token: str

    def is_same(self, other: "Tokens | None") -> bool:
        """Return whether the tokens differ at most in the signature."""
        return other is not None and self[::2] == other[::2]


@dataclass
class LiveGrant:
    """A grant of a device. Times by time.monotonic.

    `decision`: what a person has begun to send. `outcome`: how the device ended. `answer`: the
    tokens, as they came.
    """

    device_code: str
    user_code: str
    decision: str | None = None
    acknowledged_at: float | None = None
    outcome: str | None = None
    answer: Tokens | None = None
    is_lost: bool = False

    @property
    def awaits_device(self) -> bool:
        """Whether the decision was acknowledged, and the device does not know it yet."""
        return self.acknowledged_at is not None and self.outcome is None


class Waits(NamedTuple):
    """The longest waits of a part of a run, in s.

    `silence_s`: the longest time in which no device had a good answer. `poll_s`: the longest time
    from a poll to its good answer, with all repetitions. `decision_s`: the longest time in which
    no decision was acknowledged.
    """

    silence_s: float
    poll_s: float
    decision_s: float


@dataclass
class Record:
    """The record of a run. `on`: whether devices poll."""

    on: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    grants: list[LiveGrant] = field(default_factory=list)
    _last_answer: float = field(default_factory=time.monotonic)
    _last_decision: float = field(default_factory=time.monotonic)
    _silence_s: float = 0.0
    _poll_s: float = 0.0
    _decision_s: float = 0.0

    def answered(self, kind: str, since: float) -> None:
        """Note a good answer to a poll that was first sent at `since`."""
        now = time.monotonic()
        self.counts[kind] += 1
        self._silence_s = max(self._silence_s, now - self._last_answer)
        self._last_answer = now
        self._poll_s = max(self._poll_s, now - since)

    def acknowledged(self, grant: LiveGrant) -> None:
        """Note that the server has acknowledged a decision."""
        now = grant.acknowledged_at = time.monotonic()
        self.counts[f"acknowledged {grant.decision}"] += 1
        self._decision_s = max(self._decision_s, now - self._last_decision)
        self._last_decision = now

    def ended(self, grant: LiveGrant, outcome: str, answer: Tokens | None = None) -> None:
        """Note a final answer, the first one or a repetition."""
        if grant.decision is None or ENDS[grant.decision] != outcome:
            self.violate(f"{outcome} after the decision {grant.decision}")
        if grant.outcome is None:
            grant.outcome, grant.answer = outcome, answer
        elif grant.outcome == outcome and (answer is None or answer.is_same(grant.answer)):
            self.counts["the same answer again"] += 1
        else:
            self.violate(f"{outcome} once more, but not the same answer")

    def violate(self, words: str, detail: str = "") -> None:
        """Note what must not be."""
        self.violations[words] += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(f"{words} {detail}".strip())

    def waits(self) -> Waits:
        """Return the longest waits since the last call, and begin again."""
        now = time.monotonic()
        waits = Waits(
            max(self._silence_s, now - self._last_answer),
            self._poll_s,
            max(self._decision_s, now - self._last_decision),
        )
        self._last_answer = self._last_decision = now
        self._silence_s = self._poll_s = self._decision_s = 0.0
        return waits

    def undelivered(self) -> list[LiveGrant]:
        """Return the grants whose device has not learned the acknowledged decision."""
        return [grant for grant in self.grants if grant.awaits_device]

    def tokens(self) -> Iterator[str]:
        """Yield the access tokens of all grants."""
        for grant in self.grants:
            if grant.answer is not None:
                yield f"{grant.answer.claims}.{grant.answer.signature}"

    @property
    def polls(self) -> int:
        """How many polls had a good answer."""
        return sum(self.counts[kind] for kind in (PENDING, SLOW_DOWN, TOKENS, DENIED))
