"""Sign in by a passkey: whose it is, and every way in which an answer can be false."""

import re
from dataclasses import replace as changed

import pytest
from msgspec.structs import replace

from deviceflow.config import Pages, Settings
from deviceflow.config.sections import SignIn
from deviceflow.core.assurance import PHISHING_RESISTANT
from deviceflow.pages.challenges import LIVES_S
from tests.stage.authenticator import UP, UV, Lie, SoftAuthenticator, options_on
from tests.stage.factors import give_app
from tests.stage.pages import TV, Browser, OpenBrowser, Store

SETTINGS = Settings(
    issuer="http://localhost:8628", pages=Pages(title="Example Connect"), clients=(TV,)
)


@pytest.fixture
async def browser(open_browser: OpenBrowser) -> Browser:
    return await open_browser(SETTINGS)


async def add_passkey(open_browser: OpenBrowser, username: str = "ada") -> SoftAuthenticator:
    """A passkey that a person has added, in a browser of its own."""
    browser = await open_browser(SETTINGS)
    await browser.sign_in(username)
    await browser.open("/account/passkeys")
    authenticator = SoftAuthenticator()
    credential = authenticator.create(options_on(browser))
    await browser.submit("/account/passkeys", credential=credential, name="Phone")
    await browser.open("/logout")
    await browser.submit("/logout")
    return authenticator


@pytest.fixture
async def passkey(open_browser: OpenBrowser, store: Store) -> SoftAuthenticator:
    authenticator = await add_passkey(open_browser)
    assert store.sessions.by_id == {}
    return authenticator


async def use(browser: Browser, passkey: SoftAuthenticator, lie: Lie | None = None) -> None:
    await browser.open("/login?user_code=WDJB-MJHT")
    credential = passkey.get(options_on(browser), lie)
    await browser.submit("/login/passkey", credential=credential)


async def test_a_passkey_signs_in_without_a_name(
    browser: Browser, passkey: SoftAuthenticator, store: Store
) -> None:
    await use(browser, passkey)
    assert browser.answer.headers["Location"] == "/device?user_code=WDJB-MJHT"
    [session] = store.sessions.by_id.values()
    assert session.username == "ada"
    assert (session.amr, session.acr) == (("pop", "user", "mfa"), PHISHING_RESISTANT)
    assert (await browser.open("/device")).status == 200
    [kept] = store.factors.by_sub["sub-ada"].passkeys
    assert (kept.sign_count, kept.used_at) == (1, store.grants.now)


async def test_what_the_browser_is_asked(browser: Browser) -> None:
    await browser.open("/login")
    options = options_on(browser)
    assert options["rpId"] == "localhost"
    assert options["userVerification"] == "required"
    assert options.get("allowCredentials", []) == [], "it names nobody's passkeys"
    assert 'autocomplete="username webauthn"' in browser.page
    assert "script-src 'self';" in browser.answer.headers["Content-Security-Policy"] + ";"


LIES = {
    "the origin of another site": Lie(origin="https://evil.example"),
    "an origin with a slash": Lie(origin="http://localhost:8628/"),
    "another port": Lie(origin="http://localhost:8629"),
    "a subdomain": Lie(origin="http://a.localhost:8628"),
    "another relying party": Lie(rp_id="evil.example"),
    "a challenge of nobody": Lie(challenge=b"x" * 56),
    "an empty challenge": Lie(challenge=b"x"),
    "the answer of a registration": Lie(type="webauthn.create"),
    "nobody there": Lie(flags=UV),
    "nobody verified": Lie(flags=UP),
    "the handle of another person": Lie(user_handle=b"somebody"),
    "a frame of another page": Lie(cross_origin=True),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_false_answer(
    browser: Browser, passkey: SoftAuthenticator, store: Store, lie: Lie
) -> None:
    await use(browser, passkey, lie)
    answer = await browser.follow()
    assert answer.status == 403
    assert "That passkey did not work" in browser.text
    assert browser.hidden["user_code"] == "WDJB-MJHT"
    assert store.sessions.by_id == {}
    await use(browser, passkey)
    assert len(store.sessions.by_id) == 1, "the person is not locked out"


async def test_a_key_that_is_not_the_one(
    browser: Browser, passkey: SoftAuthenticator, store: Store
) -> None:
    await use(browser, changed(SoftAuthenticator(), credential_id=passkey.credential_id))
    assert store.sessions.by_id == {}


async def test_an_answer_counts_once(
    browser: Browser, open_browser: OpenBrowser, passkey: SoftAuthenticator, store: Store
) -> None:
    """Also that of a passkey without a count, of which nothing but the challenge tells a replay."""
    passkey.counts = False
    await browser.open("/login")
    sent = browser.hidden | {"credential": passkey.get(options_on(browser))}
    cookies = {cookie.key: cookie.value for cookie in browser.client.session.cookie_jar}
    assert (await browser.post("/login/passkey", data=sent)).headers["Location"] == "/device"
    thief = await open_browser(SETTINGS)
    answer = await thief.post("/login/passkey", data=sent, cookies=cookies)
    assert answer.headers["Location"] == "/login?notice=passkey"
    assert len(store.sessions.by_id) == 1


async def test_the_challenge_of_another_browser(
    browser: Browser, open_browser: OpenBrowser, passkey: SoftAuthenticator, store: Store
) -> None:
    """A page that shows a victim the challenge of the attacker's browser signs nobody in there."""
    attacker = await open_browser(SETTINGS)
    await attacker.open("/login")
    credential = passkey.get(options_on(attacker))
    await browser.open("/login")
    await browser.submit("/login/passkey", credential=credential)
    assert store.sessions.by_id == {}


async def test_a_challenge_ends(browser: Browser, passkey: SoftAuthenticator, store: Store) -> None:
    await browser.open("/login")
    options = options_on(browser)
    store.grants.now += LIVES_S
    await browser.submit("/login/passkey", credential=passkey.get(options))
    assert store.sessions.by_id == {}


async def test_a_count_that_does_not_grow_is_a_copy(
    browser: Browser, passkey: SoftAuthenticator, store: Store
) -> None:
    """WebAuthn 6.1.1."""
    await use(browser, passkey, Lie(sign_count=7))
    store.sessions.by_id.clear()
    for count in (0, 6, 7):
        await use(browser, passkey, Lie(sign_count=count))
        assert store.sessions.by_id == {}
    await use(browser, passkey, Lie(sign_count=8))
    assert len(store.sessions.by_id) == 1


async def test_a_passkey_that_does_not_count(
    browser: Browser, passkey: SoftAuthenticator, store: Store
) -> None:
    """Those that are copied between devices say 0 each time."""
    passkey.counts = False
    for _ in range(2):
        await use(browser, passkey)
        assert len(store.sessions.by_id) == 1
        await browser.open("/logout")
        await browser.submit("/logout")


@pytest.mark.parametrize("change", [{"disabled": True}, None])
async def test_an_account_that_may_not_sign_in(
    browser: Browser, passkey: SoftAuthenticator, store: Store, change: dict[str, bool] | None
) -> None:
    """Disabled, or removed."""
    ada = store.users.accounts.pop("ada")
    if change:
        store.users.accounts["ada"] = replace(ada, **change)
    await use(browser, passkey)
    assert browser.answer.headers["Location"] == "/login?user_code=WDJB-MJHT&notice=passkey"
    assert store.sessions.by_id == {}


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "x",
        "{}",
        "[]",
        "null",
        '{"id":1}',
        "[" * 500,
        '{"id":"a","response":{}}',
        "\ud800",
        '{"id":"a","response":{"clientDataJSON":""}}',
        '{"id":"a","response":{"clientDataJSON":"%"}}',
        '{"id":"a","response":{"clientDataJSON":"e30"}}',
    ],
)
async def test_what_is_no_credential(browser: Browser, store: Store, credential: str) -> None:
    await browser.open("/login")
    form = browser.hidden | {"credential": credential.encode(errors="replace").decode()}
    answer = await browser.post("/login/passkey", data=form)
    assert answer.status == 303
    assert store.sessions.by_id == {}


@pytest.mark.parametrize("part", ["authenticatorData", "signature", "rawId", "clientDataJSON"])
async def test_a_broken_answer(
    browser: Browser, passkey: SoftAuthenticator, store: Store, part: str
) -> None:
    await browser.open("/login")
    credential = passkey.get(options_on(browser))
    for broken in ("", "AAAA", "%"):
        text = re.sub(rf'("{part}": ")[^"]*"', rf'\g<1>{broken}"', credential)
        form = browser.hidden | {"credential": text}
        answer = await browser.post("/login/passkey", data=form)
        assert answer.status == 303
        await browser.open("/login")
    assert store.sessions.by_id == {}


async def test_a_store_that_is_away(
    browser: Browser, passkey: SoftAuthenticator, store: Store
) -> None:
    store.factors.is_down = True
    await use(browser, passkey)
    assert browser.answer.status == 503
    assert store.sessions.by_id == {}


async def test_a_form_of_another_visitor(
    browser: Browser, passkey: SoftAuthenticator, store: Store
) -> None:
    await browser.open("/login")
    fields = {"csrf_token": "x", "credential": passkey.get(options_on(browser))}
    answer = await browser.post("/login/passkey", data=fields)
    assert answer.headers["Location"] == "/login?notice=outdated"
    browser.client.session.cookie_jar.clear()
    answer = await browser.post("/login/passkey", data=fields)
    assert answer.headers["Location"] == "/login?notice=no_cookie"
    assert store.sessions.by_id == {}


@pytest.mark.parametrize(
    "settings",
    [
        replace(SETTINGS, sign_in=SignIn(passkeys=False)),
        replace(SETTINGS, issuer="http://127.0.0.1:8628"),
    ],
    ids=["off", "no host name"],
)
async def test_without_passkeys(open_browser: OpenBrowser, settings: Settings) -> None:
    browser = await open_browser(settings)
    await browser.open("/login")
    assert "passkey" not in browser.page
    assert "script-src" not in browser.answer.headers["Content-Security-Policy"]
    assert (await browser.post("/login/passkey", data={})).status == 404


# As the second step


async def half_way(browser: Browser) -> None:
    await browser.open("/login?user_code=WDJB-MJHT")
    await browser.submit("/login", username="ada", password="ada")
    await browser.follow()


async def test_a_passkey_is_a_second_factor(
    browser: Browser, passkey: SoftAuthenticator, store: Store
) -> None:
    await half_way(browser)
    options = options_on(browser)
    assert [each["id"] for each in options["allowCredentials"]] == [passkey.id]
    assert options["allowCredentials"][0]["transports"] == ["internal"]
    await browser.submit("/login/second", credential=passkey.get(options))
    assert browser.answer.headers["Location"] == "/device?user_code=WDJB-MJHT"
    [session] = store.sessions.by_id.values()
    assert (session.amr, session.acr) == (("pwd", "pop", "user", "mfa"), PHISHING_RESISTANT)


async def test_the_passkey_of_another_person_is_none(
    browser: Browser, open_browser: OpenBrowser, passkey: SoftAuthenticator, store: Store
) -> None:
    """A thief of the password has a passkey, too: the thief's own."""
    assert store.factors.owners == {passkey.id: "sub-ada"}
    thief = await add_passkey(open_browser, "bob")
    for lie in (None, Lie(user_handle=store.factors.user_handle("sub-ada"))):
        await half_way(browser)
        await browser.submit("/login/second", credential=thief.get(options_on(browser), lie))
        assert browser.answer.headers["Location"].endswith("notice=passkey")
        assert store.sessions.by_id == {}
    assert (await browser.follow()).status == 403


async def test_challenges_of_two_pages_are_not_mixed_up(
    browser: Browser, passkey: SoftAuthenticator, store: Store
) -> None:
    await half_way(browser)
    form, second = browser.hidden, options_on(browser)
    await browser.open("/login")
    first = options_on(browser)
    await browser.post("/login/second", data=form | {"credential": passkey.get(first)})
    await browser.post("/login/passkey", data=form | {"credential": passkey.get(second)})
    assert store.sessions.by_id == {}


async def test_a_passkey_of_an_account_with_an_app_needs_no_second_step(
    browser: Browser, passkey: SoftAuthenticator, store: Store
) -> None:
    give_app(store)
    await use(browser, passkey)
    assert len(store.sessions.by_id) == 1


@pytest.mark.usefixtures("passkey")
async def test_without_a_script_a_recovery_code_helps(browser: Browser) -> None:
    await half_way(browser)
    assert "needs JavaScript" in browser.text
    assert 'name="recovery_code"' in browser.page
