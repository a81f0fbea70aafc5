"""The way to a provider."""

import json

import pytest
from aiohttp import ClientResponse
from structlog.testing import capture_logs
from yarl import URL

from deviceflow.core.assurance import SECOND_FACTOR
from tests.pages.sign_in.upstream.conftest import OpenSite, Person, Site
from tests.stage.factors import App
from tests.stage.oauth import ISSUER
from tests.stage.pages import POLICY, check_headers
from tests.stage.provider import CLIENT_ID, Lies


async def test_the_button_leads_to_the_provider(person: Person) -> None:
    answer = await person.leave("BCDF-GHJK")
    assert answer.status == 200
    check_headers(answer, policy=POLICY)
    assert person.title.startswith("On the way to Acme")
    sent = URL(person.address).query
    assert sent["client_id"] == CLIENT_ID
    assert sent["redirect_uri"] == f"{ISSUER}/login/upstream/acme/callback"
    assert sent["code_challenge_method"] == "S256"
    assert "prompt" not in sent
    assert "BCDF" not in person.address


async def test_the_page_has_both_ways(person: Person) -> None:
    await person.open("/login")
    assert "Sign in with Acme" in person.text
    assert 'type="password"' in person.page


async def test_the_page_without_a_password(open_site: OpenSite) -> None:
    site = await open_site(password=False)
    person = site.person()
    await person.open("/login", params={"user_code": "BCDF-GHJK"})
    assert "Sign in with Acme" in person.text
    assert 'type="password"' not in person.page
    await person.submit("/login", username="bob", password="bob")
    assert person.answer.headers["Location"] == "/login?user_code=BCDF-GHJK&notice=stale"
    assert (await person.sign_in_upstream()).status == 303


async def test_a_form_of_another_site(site: Site, person: Person) -> None:
    await person.open("/login")
    form = person.hidden
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = await person.post("/login/upstream/acme", data=form, headers=headers)
        assert answer.status == 403
    assert site.provider.requests("/authorize") == []


async def test_a_form_that_is_out_of_date(person: Person) -> None:
    await person.open("/login")
    await person.post("/login/upstream/acme", data={"csrf_token": "x", "user_code": "BCDF-GHJK"})
    assert person.answer.headers["Location"] == "/login?user_code=BCDF-GHJK&notice=stale"
    await person.follow()
    assert person.answer.status == 403
    assert "Choose once more" in person.text


async def test_without_a_cookie(site: Site) -> None:
    person = site.person()
    answer = await person.post("/login/upstream/acme", data={"csrf_token": "x"})
    assert answer.status == 303
    assert "Set-Cookie" in answer.headers


async def test_a_person_who_is_signed_in_goes_on(site: Site, person: Person) -> None:
    await person.sign_in_upstream()
    await person.open("/device")
    await person.submit("/login/upstream/acme", user_code="BCDF-GHJK")
    assert person.answer.headers["Location"] == "/device?user_code=BCDF-GHJK"
    assert len(site.provider.requests("/authorize")) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("tail", ["", "/callback", "/logout"])
async def test_a_provider_that_does_not_exist(person: Person, method: str, tail: str) -> None:
    await person._go(method, f"/login/upstream/nobody{tail}", data={})
    assert person.answer.status in {404, 405}


async def test_a_provider_that_is_down(site: Site, person: Person) -> None:
    site.provider.lies = Lies(status={"/.well-known/openid-configuration": 500})
    with capture_logs() as logs:
        answer = await person.leave("BCDF-GHJK")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "does not answer at the moment" in person.text
    assert "/login?user_code=BCDF-GHJK" in person.page
    (line,) = [entry for entry in logs if entry["event"] == "upstream.failed"]
    assert (line["upstream"], line["cause"]) == ("acme", "unreachable")


# A sign-in that is too old, or too weak, for what the person wants


async def again(person: Person, query: str) -> ClientResponse:
    """Sign in at the provider once more, although there is a session."""
    await person.open(f"/login?{query}")
    await person.submit("/login/upstream/acme")
    assert URL(person.address).query["prompt"] == "login", "not silently"
    return await person.come_back()


async def test_a_fresh_sign_in_leads_back_to_the_question(site: Site, person: Person) -> None:
    """A client may want one (`max_sign_in_age_s`); the session before it ends."""
    await person.sign_in_upstream()
    (before,) = await site.stage.keys("df:s:*")
    site.stage.clock.now += 3600
    answer = await again(person, "user_code=BCDF-GHJK&next=confirm&again=1")
    assert answer.headers["Location"] == "/device/confirm?user_code=BCDF-GHJK"
    assert (await site.session())["auth_time"] == int(site.stage.clock()) - 10
    assert await site.stage.keys("df:s:*") != [before]


async def test_the_account_page_asks_the_provider_once_more(site: Site, person: Person) -> None:
    """A change of factors wants a sign-in of the last ten minutes."""
    await person.sign_in_upstream()
    await person.open("/account/security")
    assert "You sign in without a password here." in person.text
    site.stage.clock.now += 3600
    await person.open("/account/security/app")
    assert person.answer.headers["Location"] == "/login?next=security&again=1"
    answer = await again(person, "next=security&again=1")
    assert answer.headers["Location"] == "/account/security"
    await person.open("/account/security/app")
    await person.follow()
    assert "otpauth" in person.page


async def add_app(site: Site) -> App:
    """Set up an app as a person of the provider; the browser is gone then."""
    person = site.person()
    await person.sign_in_upstream()
    await person.open("/account/security/app")
    await person.follow()
    app = App(person.page.partition("secret=")[2].partition("&")[0])
    await person.submit("/account/security/app", code=app.code(site.stage.clock()))
    site.stage.clock.now += 60  # That code counts no more.
    return app


async def test_an_own_factor_is_asked_for_after_the_provider(site: Site) -> None:
    """The provider does not ask for it. The account page does, and would lead there for ever."""
    app = await add_app(site)
    person = site.person()
    await person.sign_in_upstream()
    await person.open("/account/security/app")
    assert person.answer.headers["Location"] == "/login/second?next=security"
    await person.follow()
    await person.submit("/login/second", code=app.code(site.stage.clock()))
    assert person.answer.headers["Location"] == "/account/security"
    await person.follow()
    await person.submit("/account/security/recovery-codes")
    assert person.answer.headers["Location"] == "/account/security/recovery-codes"


async def test_a_session_with_an_own_factor_stays_the_provider_s(site: Site) -> None:
    """Its logout names the session, and ends it."""
    app = await add_app(site)
    site.provider.person["sid"] = "s-1"
    person = site.person()
    await person.sign_in_upstream()
    await person.open("/login/second?next=confirm&user_code=BCDF-GHJK")
    await person.submit("/login/second", code=app.code(site.stage.clock()))
    assert person.answer.headers["Location"] == "/device/confirm?user_code=BCDF-GHJK"
    keys = await site.stage.keys("df:s:*")
    sessions = [json.loads(await site.stage.redis.get(key) or "") for key in keys]
    proven = max(sessions, key=lambda session: int(session["auth_time"]))
    assert (proven["amr"], proven["acr"]) == (["otp", "mfa"], SECOND_FACTOR)
    assert (await person.open("/device")).status == 200
    token = {"logout_token": site.provider.logout_token(sid="s-1")}
    assert (await person.post_as_provider("/login/upstream/acme/logout", token))[0] == 200
    assert (await person.open("/device")).headers["Location"] == "/login"


# After a sign-out, nobody is signed in again without a question


async def prompt_after(person: Person) -> str | None:
    await person.leave()
    return URL(person.address).query.get("prompt")


async def test_after_a_sign_out(site: Site, person: Person) -> None:
    await person.sign_in_upstream()
    await person.open("/logout")
    await person.submit("/logout")
    assert await prompt_after(person) == "login"
    await person.come_back()
    assert await site.stage.keys("df:s:*") != []
    site.person()
    assert await prompt_after(person) is None


async def test_after_a_switch_to_another_account(open_site: OpenSite) -> None:
    site = await open_site(preset="google")
    code = (await site.worker.authorize()).body["user_code"]
    person = site.person()
    await person.sign_in_upstream(code)
    await person.follow()
    await person.submit("/device", user_code=code)
    await person.follow()
    await person.press("account")
    assert "Sign in with the account" in person.text
    assert await prompt_after(person) == "select_account"
    await person.come_back()
    person.worker.client.session.cookie_jar.clear(lambda cookie: not cookie.key.endswith("-ended"))
    assert await prompt_after(person) is None


async def test_an_issuer_with_a_path(open_site: OpenSite) -> None:
    """Every address is below it: the form's, the redirect URI's, and where the answer leads."""
    site = await open_site(path="/tenant")
    person = site.person()
    await person.open("/tenant/login", params={"user_code": "BCDF-GHJK"})
    assert 'action="/tenant/login/upstream/acme"' in person.page
    await person.submit("/tenant/login/upstream/acme")
    back = f"{ISSUER}/tenant/login/upstream/acme/callback"
    assert URL(person.address).query["redirect_uri"] == back
    await person.come_back()
    assert person.answer.headers["Location"] == "/tenant/device?user_code=BCDF-GHJK"
    await person.open("/tenant/logout")
    await person.submit("/tenant/logout")
    sent = URL(person.address).query
    assert sent["post_logout_redirect_uri"] == f"{ISSUER}/tenant/logout"
