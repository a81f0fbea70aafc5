"""Another account of the same person: the claim is given back, and the code is kept."""

import pytest

from deviceflow.core.grant import State
from tests.stage.pages import COOKIE, Browser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"


async def test_another_account_connects_the_device(ada: Browser, store: Store) -> None:
    """The wrong account on the page is no dead end."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    assert 'name="switch"' in ada.page
    assert "Use another account" in ada.text
    answer = await ada.submit("/device/confirm", switch="account")
    assert answer.status == 303
    assert answer.headers["Location"] == f"/login?user_code={SHOWN}&notice=switched"
    assert answer.cookies[COOKIE]["max-age"] == "0"
    assert store.sessions.by_id == {}
    assert store.grants.by_code[CODE].claimed_by is None
    await ada.follow()
    assert "You are signed out." in ada.text

    await ada.submit("/login", username="bob", password="bob")
    await ada.follow()
    assert ada.typed == SHOWN
    await ada.submit("/device", user_code=SHOWN)
    await ada.follow()
    assert "Signed in as bob" in ada.text
    await ada.press("approve")
    [(_, subject)] = store.grants.decisions
    assert subject is not None
    assert subject.sub == "sub-bob"


async def test_the_button_sent_twice_is_as_good_as_once(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    fields = ada.hidden | {"switch": "account"}
    await ada.post("/device/confirm", data=fields)
    answer = await ada.post("/device/confirm", data=fields)
    assert answer.status == 303
    assert answer.headers["Location"].startswith(f"/login?user_code={SHOWN}")
    assert store.grants.by_code[CODE].claimed_by is None


@pytest.mark.parametrize("state", [State.APPROVED, State.DENIED, State.CANCELLED, State.REDEEMED])
async def test_an_answered_request_is_not_given_back(
    ada: Browser, store: Store, state: State
) -> None:
    """The other tab was quicker: then the page says how it ended, and nobody is signed out."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    store.grants.add(CODE, state=state, claimed_by="sub-ada")
    answer = await ada.submit("/device/confirm", switch="account")
    assert (answer.status, answer.headers["Location"]) == (303, f"/device/done?user_code={SHOWN}")
    assert len(store.sessions.by_id) == 1
    assert store.grants.by_code[CODE].claimed_by == "sub-ada"


@pytest.mark.parametrize("claimed_by", [None, "sub-bob"])
async def test_nobody_gives_back_the_claim_of_another(
    ada: Browser, store: Store, claimed_by: str | None
) -> None:
    """The session ends all the same, for that is what the button says."""
    store.grants.add(CODE, claimed_by=claimed_by)
    await ada.open("/device")
    answer = await ada.submit("/device/confirm", user_code=SHOWN, switch="account")
    assert answer.headers["Location"] == f"/login?user_code={SHOWN}&notice=switched"
    assert store.grants.by_code[CODE].claimed_by == claimed_by


async def test_the_button_needs_its_token(ada: Browser, store: Store) -> None:
    """6749-10.12-a."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await ada.post("/device/confirm", data={"user_code": SHOWN, "switch": "account"})
    assert (await ada.follow()).status == 200
    assert "This page was out of date." in ada.text
    assert len(store.sessions.by_id) == 1
    assert store.grants.by_code[CODE].claimed_by == "sub-ada"
