"""A client that wants more of a sign-in: told, led there and back, and held at the decision."""

import re

import pytest
from msgspec.structs import replace

from deviceflow.config import Settings
from deviceflow.core.assurance import PHISHING_RESISTANT, SECOND_FACTOR
from deviceflow.core.client import Client
from deviceflow.core.grant import Event, State
from deviceflow.store.factors import Factors, Passkey
from tests.stage.factors import App, give_app
from tests.stage.pages import Browser, OpenBrowser, Store, check_headers

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"
STRICT = Client(client_id="tv-app", name="Living-room TV", sign_in="second_factor")
STRICTER = replace(STRICT, sign_in="phishing_resistant")
FRESH = replace(STRICT, sign_in="any", max_sign_in_age_s=300)


async def at_question(open_browser: OpenBrowser, store: Store, client: Client) -> Browser:
    """Ada has entered the code of a device of this client."""
    settings = Settings(issuer="http://localhost:8628", clients=(client,))
    browser = await open_browser(settings)
    await browser.sign_in("ada")
    store.grants.add(CODE)
    await browser.enter(SHOWN)
    return browser


async def test_the_page_says_what_and_leads_there_and_back(
    open_browser: OpenBrowser, store: Store
) -> None:
    ada = await at_question(open_browser, store, STRICT)
    assert "Living-room TV wants a second factor" in ada.text
    assert ada.title == "Living-room TV wants a second factor · Connect a device"
    check_headers(ada.answer)
    app = give_app(store)
    await ada.open(f"/device/step-up?user_code={SHOWN}")
    path = re.search(r'href="(/login/second\?[^"]*)"', ada.page)
    assert path is not None
    await ada.open(path[1].replace("&amp;", "&"))
    await ada.submit("/login/second", code=app.code(store.grants.now))
    assert ada.answer.headers["Location"] == f"/device/confirm?user_code={SHOWN}"
    await ada.follow()
    await ada.press("approve")
    [(event, subject)] = store.grants.decisions
    assert event is Event.APPROVE
    assert subject is not None
    assert (subject.amr, subject.acr) == (("pwd", "otp", "mfa"), SECOND_FACTOR)


async def test_a_person_without_a_factor_sets_one_up_and_comes_back(
    open_browser: OpenBrowser, store: Store
) -> None:
    ada = await at_question(open_browser, store, STRICT)
    assert f"/account/security?user_code={SHOWN}" in ada.page
    await ada.open(f"/account/security/app?user_code={SHOWN}")
    await ada.follow()
    secret = re.search(r"secret=([A-Z2-7]+)", ada.page)
    assert secret is not None
    await ada.submit("/account/security/app", code=App(secret[1]).code(store.grants.now))
    await ada.follow()
    await ada.open(f"/device/confirm?user_code={SHOWN}")
    assert ada.answer.status == 200
    await ada.press("approve")
    assert store.grants.by_code[CODE].state is State.APPROVED


@pytest.mark.parametrize("client", [STRICT, STRICTER, FRESH], ids=["two", "passkey", "fresh"])
async def test_the_approval_is_refused_whatever_form_is_sent(
    open_browser: OpenBrowser, store: Store, client: Client
) -> None:
    """Made up, or kept from before the setting changed."""
    ada = await at_question(open_browser, store, client)
    store.grants.now += 301
    await ada.open("/device")
    fields = ada.hidden | {"user_code": SHOWN, "decision": "approve"}
    answer = await ada.post("/device/confirm", data=fields)
    assert answer.headers["Location"] == f"/device/step-up?user_code={SHOWN}"
    assert store.grants.decisions == []
    assert store.grants.by_code[CODE].state is State.PENDING


async def test_a_denial_needs_no_more(open_browser: OpenBrowser, store: Store) -> None:
    ada = await at_question(open_browser, store, STRICTER)
    await ada.submit("/device/confirm", decision="deny")
    assert store.grants.by_code[CODE].state is State.DENIED


async def test_a_code_of_an_app_is_no_passkey(open_browser: OpenBrowser, store: Store) -> None:
    passkey = Passkey(id="abcd", public_key=b"", sign_count=0, name="Phone", added_at=1)
    app = give_app(store)
    factors = store.factors.by_sub["sub-ada"]
    store.factors.by_sub["sub-ada"] = replace(factors, passkeys=(passkey,))
    settings = Settings(issuer="http://localhost:8628", clients=(STRICTER,))
    ada = await open_browser(settings)
    await ada.sign_in("ada")
    await ada.follow()
    await ada.submit("/login/second", code=app.code(store.grants.now))
    store.grants.add(CODE)
    await ada.enter(SHOWN)
    assert "Living-room TV wants a passkey" in ada.text
    assert f"/login?user_code={SHOWN}&amp;next=confirm&amp;again=1" in ada.page
    session = next(iter(store.sessions.by_id))
    store.sessions.by_id[session] = replace(
        store.sessions.by_id[session], amr=("pop", "user", "mfa"), acr=PHISHING_RESISTANT
    )
    assert (await ada.open(f"/device/confirm?user_code={SHOWN}")).status == 200


async def test_without_a_passkey_it_says_where_to_add_one(
    open_browser: OpenBrowser, store: Store
) -> None:
    ada = await at_question(open_browser, store, STRICTER)
    assert "Your account has no passkey yet" in ada.text
    assert f"/account/security?user_code={SHOWN}" in ada.page


async def test_an_old_sign_in(open_browser: OpenBrowser, store: Store) -> None:
    ada = await at_question(open_browser, store, FRESH)
    assert ada.answer.url.path == "/device/confirm"
    store.grants.now += 301
    await ada.open(f"/device/confirm?user_code={SHOWN}")
    await ada.follow()
    assert "Living-room TV wants a fresh sign-in" in ada.text
    assert "within 5 minutes" in ada.text
    await ada.open(f"/login?user_code={SHOWN}&next=confirm&again=1")
    await ada.submit("/login", username="ada", password="wrong")
    await ada.follow()
    assert "That did not work" in ada.text
    await ada.submit("/login", username="ada", password="ada")
    assert ada.answer.headers["Location"] == f"/device/confirm?user_code={SHOWN}"
    await ada.follow()
    await ada.press("approve")
    assert store.grants.by_code[CODE].state is State.APPROVED


async def test_the_second_step_alone_makes_no_sign_in_fresh(
    open_browser: OpenBrowser, store: Store
) -> None:
    """The password was typed long ago."""
    ada = await at_question(open_browser, store, replace(FRESH, sign_in="second_factor"))
    app = give_app(store)
    store.grants.now += 301
    await ada.open(f"/login/second?user_code={SHOWN}&next=confirm")
    await ada.submit("/login/second", code=app.code(store.grants.now))
    await ada.follow()
    assert "wants a fresh sign-in" in ada.text


async def test_it_tells_nothing_about_requests_of_others(
    open_browser: OpenBrowser, store: Store
) -> None:
    await at_question(open_browser, store, STRICT)
    bob = await open_browser(Settings(issuer="http://localhost:8628", clients=(STRICT,)))
    await bob.sign_in("bob")
    for code in (SHOWN, "BBBB-BBBB", ""):
        answer = await bob.open(f"/device/step-up?user_code={code}")
        assert answer.status == 303
        await bob.follow()
        assert "Living-room TV" not in bob.text
    stranger = await open_browser(Settings(issuer="http://localhost:8628", clients=(STRICT,)))
    answer = await stranger.open(f"/device/step-up?user_code={SHOWN}")
    assert answer.headers["Location"] == f"/login?user_code={SHOWN}"


async def test_a_client_that_wants_nothing_is_not_held_up(ada: Browser, store: Store) -> None:
    store.grants.add(CODE)
    store.factors.by_sub["sub-ada"] = Factors()
    await ada.enter(SHOWN)
    assert ada.answer.url.path == "/device/confirm"
    answer = await ada.open(f"/device/step-up?user_code={SHOWN}")
    assert answer.headers["Location"] == f"/device/confirm?user_code={SHOWN}"


async def test_a_name_that_nobody_has_verified_is_no_reason_to_prove_more(
    open_browser: OpenBrowser, store: Store
) -> None:
    """By a rule for all clients, one that has registered itself may ask for a second factor."""
    ada = await at_question(open_browser, store, replace(STRICT, verified=False))
    assert "wants a second factor" in ada.text
    assert "Nobody has verified this name" in ada.text
    ada = await at_question(open_browser, store, STRICT)
    assert "Nobody has verified this name" not in ada.text
