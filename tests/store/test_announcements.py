"""The push messages."""

import pytest

from deviceflow.core.grant import State
from deviceflow.store.announcements import CHANGED, Decision


@pytest.mark.parametrize("state", State)
def test_a_decision_is_read_as_it_was_written(state: State) -> None:
    decision = Decision(2**63 + 5, state, 1_800_000_000)
    assert Decision.parse(decision.message.encode()) == decision


@pytest.mark.parametrize(
    "message", [b"", b"x", b"1 approved", b"zz approved 1", b"1 unheard-of 1", b"1 \xff 1", CHANGED]
)
def test_anything_else_is_no_decision(message: bytes) -> None:
    assert Decision.parse(message) is None
