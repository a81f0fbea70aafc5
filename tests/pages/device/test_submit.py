"""Every form of the device pages is answered with 303, and each detour keeps the code."""

import pytest

from deviceflow.core.grant import State
from tests.stage.pages import Browser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"


@pytest.mark.parametrize("path", ["/device", "/device/confirm"])
async def test_a_form_may_go_to_either_address(ada: Browser, store: Store, path: str) -> None:
    """Scripts send the code, and then the code with a decision, to `/device`."""
    store.grants.add(CODE)
    await ada.open("/device")
    fields = ada.hidden | {"user_code": SHOWN}
    answer = await ada.post(path, data=fields)
    assert (answer.status, answer.headers["Location"]) == (
        303,
        f"/device/confirm?user_code={SHOWN}",
    )
    answer = await ada.post(path, data=fields | {"decision": "approve"})
    assert answer.status == 303
    await ada.follow()
    assert "You can go back to your device" in ada.text
    assert store.grants.by_code[CODE].state is State.APPROVED


@pytest.mark.parametrize("fields", [{}, {"decision": "approve"}, {"switch": "account"}])
@pytest.mark.parametrize("is_cookie_kept", [True, False])
async def test_a_session_that_is_over_says_that_nothing_was_decided(
    ada: Browser, store: Store, fields: dict[str, str], *, is_cookie_kept: bool
) -> None:
    """Ended by time, or in another tab, which leaves the browser another cookie or none."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    form = ada.hidden
    store.sessions.by_id.clear()
    if not is_cookie_kept:
        ada.client.session.cookie_jar.clear()
        await ada.open("/logout")
    await ada.post("/device/confirm", data=form | fields)
    await ada.follow()
    assert "You are no longer signed in." in ada.text
    assert "nothing was decided" in ada.text
    assert ada.hidden["user_code"] == SHOWN
    assert store.grants.by_code[CODE].state is State.PENDING

    await ada.submit("/login", username="ada", password="ada")
    await ada.follow()
    assert ada.typed == SHOWN


@pytest.mark.parametrize("button", [{"decision": "approve"}, {"switch": "account"}])
async def test_a_question_that_is_out_of_date_is_asked_again(
    ada: Browser, store: Store, button: dict[str, str]
) -> None:
    """The same account signed in again in another tab: the page says so, and its buttons work."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    form = ada.hidden | button
    ada.client.session.cookie_jar.clear()
    await ada.sign_in()
    await ada.post("/device/confirm", data=form)
    assert (await ada.follow()).status == 200
    assert "This page was out of date." in ada.text
    assert "Nothing was changed." in ada.text
    assert "Connect Living-room TV to your account?" in ada.text
    assert store.grants.decisions == []
    assert store.grants.by_code[CODE].claimed_by == "sub-ada"
    await ada.press("approve")
    assert ada.answer.status == 200
    assert store.grants.by_code[CODE].state is State.APPROVED


async def test_a_question_of_another_account_leads_to_the_form(
    ada: Browser, bob: Browser, store: Store
) -> None:
    """Bob signed in in another tab: he is not asked about what Ada has claimed."""
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    await bob.post("/device/confirm", data=ada.hidden | {"decision": "approve"})
    assert (await bob.follow()).status == 200
    assert "This page was out of date." in bob.text
    assert bob.typed == SHOWN
    assert store.grants.by_code[CODE].state is State.PENDING


@pytest.mark.parametrize("address", ["/device", "/device/confirm", "/device/done"])
async def test_opening_an_address_changes_nothing(ada: Browser, store: Store, address: str) -> None:
    """8628-3.3.1-a: GET reads; neither a claim nor a guess comes of it."""
    before = store.grants.add(CODE)
    for claimed_by in (None, "sub-bob"):
        store.grants.add(CODE, claimed_by=claimed_by)
        await ada.open(f"{address}?user_code={SHOWN}&decision=approve&switch=account")
        await ada.follow()
        assert store.grants.by_code[CODE].claimed_by == claimed_by
        assert store.grants.by_code[CODE].state is before.state
        assert "Living-room TV" not in ada.text
    assert store.limits.keys("code-user") == set()


async def test_the_question_is_one_and_the_same_until_it_is_claimed(
    ada: Browser, store: Store
) -> None:
    """No oracle: unknown, unclaimed and another's code lead from the question to the form."""
    store.grants.add(CODE)
    store.grants.add("BCDFGHJK", claimed_by="sub-bob")
    for text in (SHOWN, "BCDF-GHJK", "LMNP-QRST"):
        answer = await ada.open(f"/device/confirm?user_code={text}")
        assert (answer.status, answer.headers["Location"]) == (303, f"/device?user_code={text}")
