"""Who is looking: accounts with a session, and what ends it."""

import msgspec

from tests.stage.pages import Browser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"


async def test_somebody_disabled_since_the_sign_in_is_signed_out(
    ada: Browser, store: Store
) -> None:
    """A user locked in the meantime decides nothing (mistakes of others)."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    account = store.users.accounts["ada"]
    store.users.accounts["ada"] = msgspec.structs.replace(account, disabled=True)
    answer = await ada.press("approve")
    assert answer.status == 200
    assert "You are no longer signed in." in ada.text
    assert store.grants.decisions == []


async def test_the_store_out_of_reach(ada: Browser, store: Store) -> None:
    store.sessions.is_down = True
    answer = await ada.open("/login")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "Try again in a few seconds." in ada.text
