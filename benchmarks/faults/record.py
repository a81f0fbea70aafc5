"""What devices and people saw during a run, and what of it breaks a promise.

Starts, decisions and final answers become a history, which the rules of `tests/histories/` judge. A
grant's decision is noted before a person sends it, and again when the server has acknowledged it.
In between, either outcome of the request is right: its answer may have been lost.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.polls import CLIENT_ID, LIFETIME_S, SCOPE
from tests.histories.checker import check
from tests.histories.history import Operation, Outcome, digest
from tests.histories.wire import claims_of

APPROVE, DENY = "approve", "deny"
TOKENS, DENIED = "tokens", "access_denied"
PENDING, SLOW_DOWN = "authorization_pending", "slow_down"
MOST_EXAMPLES = 5


class Tokens(NamedTuple):
    """An access token and a refresh token."""

    access_token: str
    refresh_token: str

    @property
    def named(self) -> dict[str, str]:
        """What the history says of them.

        All claims count as the token: each answer is signed anew. Two ES256 signatures of the same
        claims differ, and a new key may have come in between.
        """
        claims = claims_of(self.access_token)
        return {
            "jti": digest(self.access_token.split(".")[1]),
            "refresh": digest(self.refresh_token),
            "sub": str(claims["sub"]),
            "scope": str(claims["scope"]),
        }


@dataclass
class LiveGrant:
    """A grant of a device. Times by time.monotonic. `name`: in the history.

    `decision`: what a person has begun to send. `outcome`: how the device ended. `answer`: the
    tokens, as they came.
    """

    name: str
    device_code: str
    user_code: str
    decision: Operation | None = None
    outcome: str | None = None
    answer: Tokens | None = None
    is_lost: bool = False

    @property
    def awaits_device(self) -> bool:
        """Whether the decision was acknowledged, and the device does not know it yet."""
        return self.decision is not None and self.decision.is_done and self.outcome is None


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
    operations: list[Operation] = field(default_factory=list)
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

    def started(self, device_code: str, user_code: str, since: float) -> LiveGrant:
        """Note a new grant, whose request was first sent at `since`."""
        grant = LiveGrant(f"grant-{len(self.grants)}", device_code, user_code)
        self.grants.append(grant)
        args = {"client": CLIENT_ID, "scope": SCOPE, "lifetime_s": LIFETIME_S}
        result = {"grant": grant.name, "interval": 1}
        self._note("start", args, since, result)
        return grant

    def deciding(self, grant: LiveGrant, decision: str, sub: str) -> None:
        """Note that a person begins to send a decision."""
        args = {"grant": grant.name, "sub": sub}
        grant.decision = self._note(decision, args, time.monotonic())

    def acknowledged(self, grant: LiveGrant) -> None:
        """Note that the server has acknowledged a decision."""
        now = time.monotonic()
        if grant.decision is not None:
            grant.decision.completed, grant.decision.outcome = now, Outcome.DONE
            self.counts[f"acknowledged {grant.decision.name}"] += 1
        self._decision_s = max(self._decision_s, now - self._last_decision)
        self._last_decision = now

    def ended(
        self, grant: LiveGrant, outcome: str, since: float, answer: Tokens | None = None
    ) -> None:
        """Note a final answer, the first one or a repetition."""
        named = answer.named if answer else {}
        self._note("poll", {"grant": grant.name}, since, {"answer": outcome} | named)
        if grant.outcome is None:
            grant.outcome, grant.answer = outcome, answer
        else:
            self.counts["a final answer again"] += 1

    def check(self) -> None:
        """Check the history by the rules."""
        for violation in check(self.operations):
            self.violate(violation.rule, violation.sentence)

    def _note(
        self, name: str, args: dict[str, Any], since: float, result: dict[str, Any] | None = None
    ) -> Operation:
        """Note an operation: one that has ended, if there is a result."""
        operation = Operation(
            number=len(self.operations), process="", name=name, args=args, invoked=since
        )
        if result is not None:
            operation.completed, operation.outcome = time.monotonic(), Outcome.DONE
            operation.result = result
        self.operations.append(operation)
        return operation

    def violate(self, words: str, detail: str = "") -> None:
        """Note a promise that was broken."""
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
                yield grant.answer.access_token

    @property
    def polls(self) -> int:
        """How many polls had a good answer."""
        return sum(self.counts[kind] for kind in (PENDING, SLOW_DOWN, TOKENS, DENIED))
