"""Sign out: by POST only, in the store too."""

from tests.stage.pages import COOKIE, Browser, Store


async def test_get_signs_nobody_out(ada: Browser, store: Store) -> None:
    """Changes only by POST."""
    answer = await ada.open("/logout")
    assert answer.status == 200
    assert "Sign out?" in ada.text
    assert len(store.sessions.by_id) == 1


async def test_sign_out(ada: Browser, store: Store) -> None:
    """9700-4.12-a: 303; the session ends in the store, not only in the browser."""
    await ada.open("/logout")
    answer = await ada.submit("/logout")
    assert (answer.status, answer.headers["Location"]) == (303, "/logout")
    assert answer.cookies[COOKIE]["max-age"] == "0"
    assert store.sessions.by_id == {}
    await ada.open("/logout")
    assert "You are signed out" in ada.text


async def test_every_page_of_a_person_has_the_way_out(ada: Browser, store: Store) -> None:
    await ada.open("/device")
    assert 'action="/logout"' in ada.page
    answer = await ada.submit("/logout")
    assert answer.status == 303
    assert store.sessions.by_id == {}


async def test_the_code_stays_with_the_person(ada: Browser) -> None:
    """The way out of a page with a code is no dead end."""
    await ada.open("/device?user_code=WDJB-MJHT")
    assert ada.page.count('name="user_code" value="WDJB-MJHT"') == 2, "in both forms"
    answer = await ada.submit("/logout", user_code="WDJB-MJHT")
    assert (answer.status, answer.headers["Location"]) == (303, "/logout?user_code=WDJB-MJHT")
    await ada.follow()
    assert 'href="/login?user_code=WDJB-MJHT"' in ada.page


async def test_signed_out_twice_is_signed_out(ada: Browser, store: Store) -> None:
    """The button of a second tab, after the first one's."""
    await ada.open("/logout")
    form = ada.hidden
    await ada.post("/logout", data=form)
    answer = await ada.post("/logout", data=form)
    assert (answer.status, answer.headers["Location"]) == (303, "/logout")
    assert store.sessions.by_id == {}
