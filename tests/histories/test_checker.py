"""The checker against a model of a right server: whatever it is asked and loses, no rule is broken.

The model is `core/grant.py` itself, with clients that see some answers and lose others.
"""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.grant import Event, Outcome, Record, State, apply
from tests.histories.checker import check
from tests.histories.history import Operation
from tests.histories.told import ADA, BOB, DONE, MAYBE, REFUSED, operation, poll, redeemed, start

LIFETIME_S = 60
SERVED_S = 0.05
"""A request is judged in the middle of its time."""

Steps = list[tuple[float, str, str, bool]]
"""The pause before each step, what is done, by which account, and whether its answer is lost."""

steps = st.lists(
    st.tuples(
        st.floats(0.11, 20),
        st.sampled_from(["poll", *(event.value for event in Event if event is not Event.REDEEM)]),
        st.sampled_from([ADA, BOB]),
        st.booleans(),
    ),
    max_size=12,
)


class Model:
    """A right server, and the history of those who ask it."""

    def __init__(self) -> None:
        self.record = Record(state=State.PENDING, expires_at=LIFETIME_S)
        self.sub = ""
        self.told: list[Operation] = [start(0.0, lifetime_s=LIFETIME_S)]

    def decide(self, at: float, event: Event, account: str, *, lost: bool) -> None:
        who = "" if event is Event.CANCEL else account
        after, outcome = apply(self.record, event, account=who, now=at + SERVED_S)
        assert after is not None
        self.record = after
        is_done = outcome is Outcome.CHANGED
        if event is Event.APPROVE and is_done:
            self.sub = account
        args: dict[str, Any] = {"grant": "g"} | ({"sub": who} if who else {})
        known = DONE if is_done else REFUSED
        # A claim that is given back is not noted as one: nobody's decision is bound to it.
        if event is not Event.RELEASE:
            outcome_told = MAYBE if lost or event is Event.CLAIM else known
            self.told.append(operation(at, event.value, outcome=outcome_told, **args))

    def poll(self, at: float, *, lost: bool) -> None:
        now = at + SERVED_S
        if now >= LIFETIME_S:
            self.told.append(poll(at, "" if lost else "expired_token"))
        elif self.record.state in {State.APPROVED, State.REDEEMED}:
            self.record, _ = apply(self.record, Event.REDEEM, account="", now=now)  # type: ignore[assignment]
            self.told.append(poll(at, "") if lost else redeemed(at, sub=self.sub))
        else:
            answer = (
                "authorization_pending" if self.record.state is State.PENDING else "access_denied"
            )
            self.told.append(poll(at, "" if lost else answer))


def told_by(steps: Steps) -> list[Operation]:
    """The history of a right server."""
    model, at = Model(), 0.2
    for pause, what, account, lost in steps:
        at += pause
        if what == "poll":
            model.poll(at, lost=lost)
        else:
            model.decide(at, Event(what), account, lost=lost)
    return model.told


@given(steps)
def test_a_right_server_breaks_no_rule(steps: Steps) -> None:
    assert check(told_by(steps)) == []


@given(steps)
def test_operations_that_have_not_ended_break_none(steps: Steps) -> None:
    """A history may be checked at any time."""
    told = told_by(steps)
    for number, each in enumerate(told[1:], 1):
        completed, outcome, result = each.completed, each.outcome, each.result
        each.completed, each.outcome, each.result = None, MAYBE, {}
        assert check(told[: number + 1]) == []
        each.completed, each.outcome, each.result = completed, outcome, result
