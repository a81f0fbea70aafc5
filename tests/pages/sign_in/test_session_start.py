"""A sign-in starts a session under a new id, and ends the one before it."""

from tests.stage.pages import COOKIE, Browser, Store


async def test_a_new_id_at_sign_in(browser: Browser, store: Store) -> None:
    """Session fixation: what the visitor came with is worth nothing afterwards."""
    first = (await browser.open("/login")).cookies[COOKIE].value
    await browser.submit("/login", username="ada", password="ada")
    second = browser.answer.cookies[COOKIE].value
    assert first != second
    assert list(store.sessions.by_id) == [second]


async def test_a_sign_in_ends_the_session_before_it(ada: Browser, store: Store) -> None:
    """The form of a page that was open before somebody else signed in again."""
    await ada.open("/device")
    await ada.submit("/login", username="bob", password="bob")
    assert [session.username for session in store.sessions.by_id.values()] == ["bob"]


async def test_a_planted_cookie_does_not_become_a_session(browser: Browser, store: Store) -> None:
    """Session fixation: the planted value is not the session's id."""
    planted = {"Cookie": f"deviceflow={'e' * 43}"}
    await browser.open("/login", headers=planted)
    fields = browser.hidden | {"username": "ada", "password": "ada"}
    answer = await browser.post("/login", data=fields, headers=planted)
    assert answer.status == 303
    assert "e" * 43 not in store.sessions.by_id
