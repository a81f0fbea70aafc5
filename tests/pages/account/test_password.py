"""Change the password: by its owner, who knows the old one, and by nobody else."""

import pytest

from deviceflow.pages.account.owner import FRESH_S
from deviceflow.store.sessions import Session
from tests.stage.factors import give_app
from tests.stage.pages import COOKIE, Browser, Store

PATH = "/account/security/password"
NEW = "correct horse battery"


async def change(browser: Browser, old: str = "ada", new: str = NEW, again: str = "") -> None:
    await browser.open(PATH)
    fields = {"password": old, "new_password": new, "repeated_password": again or new}
    await browser.submit(PATH, **fields)
    await browser.follow()


def password(store: Store) -> str:
    """A password is its own hash here."""
    return store.users.accounts["ada"].password_hash


async def test_the_new_password_is_the_one_from_now_on(ada: Browser, store: Store) -> None:
    before = store.users.accounts["ada"]
    await change(ada)
    assert "The password is changed" in ada.text
    assert password(store) == NEW
    assert store.users.accounts["ada"].sub == before.sub
    assert store.limits.keys("sign-in.account") == set(), "it was no guess"


@pytest.mark.parametrize(
    ("old", "new", "again", "says"),
    [
        ("wrong", NEW, "", "That is not your password"),
        ("ada", "short", "", "at least 8 characters"),
        ("ada", NEW, f"{NEW}!", "are different"),
        ("", NEW, "", "fill in all three fields"),
        ("ada", "", "", "fill in all three fields"),
    ],
)
async def test_what_changes_nothing(
    ada: Browser, store: Store, old: str, new: str, again: str, says: str
) -> None:
    await change(ada, old, new, again)
    assert ada.answer.status in {400, 403}
    assert says in ada.text
    assert password(store) == "ada"
    assert NEW not in ada.page
    assert NEW not in str(ada.answer.url)


async def test_neither_the_name_nor_the_old_password(ada: Browser, store: Store) -> None:
    await change(ada, new="first password")
    await change(ada, "first password", "first password")
    assert "the password that you have" in ada.text
    assert password(store) == "first password"


async def test_other_browsers_are_signed_out(ada: Browser, store: Store) -> None:
    """The thief of the password, too. This browser goes on."""
    thief = await store.sessions.start(Session("ada", "sub-ada", int(store.grants.now)))
    bob = await store.sessions.start(Session("bob", "sub-bob", int(store.grants.now)))
    await change(ada)
    assert password(store) == NEW
    assert await store.sessions.get(thief) is None
    assert await store.sessions.get(bob) is not None
    assert (await ada.open(PATH)).status == 200


async def test_a_copy_of_this_session_is_worth_nothing(ada: Browser, store: Store) -> None:
    """The id is a new one, and what the old account allowed is refused."""
    (before,) = store.sessions.by_id
    session = store.sessions.by_id[before]
    await change(ada)
    (after,) = store.sessions.by_id
    assert after != before
    store.sessions.by_id[before] = session
    ada.client.session.cookie_jar.update_cookies({COOKIE: before}, ada.client.make_url("/"))
    assert (await ada.open(PATH)).headers["Location"].startswith("/login")


@pytest.mark.parametrize("asks", [True, False])
async def test_devices_are_disconnected_if_the_person_asks(
    ada: Browser, store: Store, *, asks: bool
) -> None:
    device, other = store.devices.add(), store.devices.add("sub-bob")
    await ada.open(PATH)
    fields = {"password": "ada", "new_password": NEW, "repeated_password": NEW}
    asked = {"devices": "disconnect"} if asks else {}
    await ada.submit(PATH, **fields, **asked)
    await ada.follow()
    assert ("All devices are disconnected" in ada.text) is asks
    assert store.devices.ended == ([device.grant_id] if asks else [])
    assert other.grant_id in store.devices.by_id
    assert (store.users.accounts["ada"].marks.devices > 0) is asks


async def test_a_name_is_no_password(browser: Browser, store: Store) -> None:
    store.users.accounts["ada-lovelace"] = store.users.accounts.pop("ada")
    account = store.users.accounts["ada-lovelace"]
    store.users.accounts["ada-lovelace"] = type(account)(
        username="ada-lovelace", sub=account.sub, password_hash="ada"
    )
    await browser.sign_in("ada-lovelace", "ada")
    await change(browser, new="ADA-Lovelace")
    assert "Your user name is no password" in browser.text
    assert store.users.accounts["ada-lovelace"].password_hash == "ada"


async def test_guesses_at_the_old_one_are_counted(ada: Browser, store: Store) -> None:
    """By the browser that is known: a thief of the session guesses no faster than at sign-in."""
    for _ in range(20):
        await change(ada, "wrong")
    await change(ada)
    assert ada.answer.status == 429
    assert password(store) == "ada"


async def test_an_old_session_has_to_sign_in_again(ada: Browser, store: Store) -> None:
    await ada.open(PATH)
    form = ada.hidden
    store.grants.now += FRESH_S + 1
    fields = {"password": "ada", "new_password": NEW, "repeated_password": NEW}
    answer = await ada.post(PATH, data=form | fields)
    assert answer.headers["Location"] == "/login?next=security&again=1"
    assert password(store) == "ada"


async def test_a_session_without_the_second_factor(ada: Browser, store: Store) -> None:
    await ada.open(PATH)
    form = ada.hidden
    give_app(store)
    fields = {"password": "ada", "new_password": NEW, "repeated_password": NEW}
    await ada.post(PATH, data=form | fields)
    assert password(store) == "ada"


async def test_a_form_of_another_person(ada: Browser, bob: Browser, store: Store) -> None:
    await bob.open(PATH)
    await ada.open(PATH)
    fields = {"password": "ada", "new_password": NEW, "repeated_password": NEW}
    answer = await ada.post(PATH, data=bob.hidden | fields)
    assert "notice=outdated" in answer.headers["Location"]
    assert password(store) == "ada"


async def test_the_state_between_two_steps_ends(
    browser: Browser, ada: Browser, store: Store
) -> None:
    """The thief has typed the old password in another browser, and waits for a code."""
    app = give_app(store)
    await browser.open("/login")
    await browser.submit("/login", username="ada", password="ada")
    await browser.follow()
    form = browser.hidden
    store.factors.by_sub.clear()
    await change(ada)
    give_app(store)
    await browser.post("/login/second", data=form | {"code": app.code(store.grants.now)})
    assert browser.answer.headers["Location"] == "/login"
