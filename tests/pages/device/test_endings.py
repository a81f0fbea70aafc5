"""The words of the last page."""

import pytest

from deviceflow.core.grant import State
from deviceflow.pages.device import endings
from deviceflow.pages.device.endings import Ending


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.PENDING, "You have approved"),
        (State.APPROVED, "You have approved"),
        (State.REDEEMED, "You have approved"),
        (State.DENIED, "You have denied"),
        (State.CANCELLED, "The people who run this server have ended"),
    ],
)
def test_an_answered_request_says_what_the_answer_was(state: State, words: str) -> None:
    ending = endings.already_answered(state)
    assert ending.happened.startswith(words)
    assert ending.happened.endswith("It can be answered only once.")


@pytest.mark.parametrize(
    ("ending", "status", "mood"),
    [
        (endings.approved("TV"), 200, "good"),
        (endings.denied("TV"), 200, "calm"),
        (endings.expired(), 410, "bad"),
        (endings.already_answered(State.DENIED), 409, "calm"),
        (endings.claimed_by_another(), 409, "bad"),
        (endings.client_unavailable(), 403, "bad"),
    ],
    ids=["approved", "denied", "expired", "answered", "claimed", "unavailable"],
)
def test_an_ending_has_a_status_and_leads_on(ending: Ending, status: int, mood: str) -> None:
    assert (ending.status, ending.mood) == (status, mood)
    assert ending.next_step
    assert ending.button.path == "/device"


def test_the_application_is_named_as_it_is() -> None:
    """Escaped, and with its direction of writing kept to itself."""
    assert "connected <bdi>A &amp; B</bdi> to" in endings.approved("A & B").happened
    assert endings.denied("A & B").happened.startswith("<bdi>A &amp; B</bdi> was not connected")
