"""The words of the last page."""

import pytest

from deviceflow.pages.device import endings
from deviceflow.pages.device.endings import Ending


def test_a_button_that_came_second_says_what_is_true() -> None:
    """Deny after Approve ends nothing, and Approve after Deny connects nothing.

    The name of a client is isolated: its direction of writing changes nothing around it.
    """
    approved, denied = endings.approved_before("TV"), endings.denied_before("TV")
    assert "Deny changed nothing. <bdi>TV</bdi> has access to your account." in approved.happened
    assert "sign out on the device" in approved.next_step
    assert "that is final. <bdi>TV</bdi> was not connected." in denied.happened


@pytest.mark.parametrize(
    ("ending", "status", "mood"),
    [
        (endings.approved("TV"), 200, "good"),
        (endings.denied("TV"), 200, "calm"),
        (endings.expired(), 410, "bad"),
        (endings.approved_before("TV"), 409, "bad"),
        (endings.denied_before("TV"), 409, "calm"),
        (endings.cancelled(), 409, "calm"),
        (endings.disconnected("TV"), 200, "calm"),
        (endings.nothing_known(), 404, "calm"),
        (endings.claimed_by_another(), 409, "bad"),
        (endings.client_unavailable(), 403, "bad"),
    ],
    ids=[
        "approved",
        "denied",
        "expired",
        "approved before",
        "denied before",
        "cancelled",
        "disconnected",
        "nothing known",
        "claimed",
        "unavailable",
    ],
)
def test_an_ending_has_a_status_and_leads_on(ending: Ending, status: int, mood: str) -> None:
    assert (ending.status, ending.mood) == (status, mood)
    assert ending.next_step
    assert ending.button.path == "/device"


def test_what_is_connected_can_be_disconnected() -> None:
    for make in (endings.approved, endings.approved_before):
        assert make("TV").way_out is None
        way_out = make("TV", "a-b_c").way_out
        assert way_out is not None
        assert way_out.path == "/account/disconnect?device=a-b_c"


def test_the_application_is_named_as_it_is() -> None:
    """Escaped, and with its direction of writing kept to itself."""
    assert "connected <bdi>A &amp; B</bdi> to" in endings.approved("A & B").happened
    assert endings.denied("A & B").happened.startswith("<bdi>A &amp; B</bdi> was not connected")
