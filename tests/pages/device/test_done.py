"""The last page says how the request ended, also to a person who comes second."""

import pytest

from deviceflow.core.grant import State
from tests.stage.pages import Browser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.APPROVED, "You have approved this request"),
        (State.REDEEMED, "You have approved this request"),
        (State.DENIED, "You have denied this request"),
        (State.CANCELLED, "have ended this request"),
    ],
)
async def test_a_request_is_answered_once(
    ada: Browser, store: Store, state: State, words: str
) -> None:
    """A late approval revives nothing (mistakes of others)."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    fields = ada.hidden
    store.grants.add(CODE, state=state, claimed_by="sub-ada")
    decision = "deny" if state is State.APPROVED else "approve"
    await ada.post("/device", data=fields | {"decision": decision})
    assert (ada.answer.status, words in ada.text) == (409, True)
    await ada.enter(SHOWN)
    assert (ada.answer.status, words in ada.text) == (409, True)
    assert store.grants.by_code[CODE].state is state
