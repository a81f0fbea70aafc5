"""Signing out here leads to the provider's sign-out, and back."""

from structlog.testing import capture_logs
from yarl import URL

from tests.pages.sign_in.upstream.conftest import OpenSite, Person, Site
from tests.stage.oauth import ISSUER
from tests.stage.provider import CLIENT_ID, GONE, Lies


async def sign_out(person: Person) -> None:
    await person.sign_in_upstream()
    await person.open("/logout")
    await person.submit("/logout")


async def test_it_ends_there_too(site: Site, person: Person) -> None:
    await sign_out(person)
    assert await site.stage.keys("df:s:*") == []
    sent = URL(person.address).query
    assert URL(person.address).path == "/end"
    assert sent["post_logout_redirect_uri"] == f"{ISSUER}/logout"
    assert sent["client_id"] == CLIENT_ID
    assert sent["id_token_hint"].count(".") == 2
    await person.open("/logout")
    assert "You are signed out" in person.text


async def test_the_code_stays_with_the_person(site: Site, person: Person) -> None:
    await person.sign_in_upstream()
    await person.open("/logout", params={"user_code": "BCDF-GHJK"})
    await person.submit("/logout")
    assert "BCDF" not in person.address, "it is nobody's business there"
    assert site.provider.issuer in person.address
    await person.open("/logout")
    assert "/login?user_code=BCDF-GHJK" in person.page
    await person.sign_in_upstream()
    await person.open("/logout")
    await person.submit("/logout")
    await person.open("/logout")
    assert "BCDF-GHJK" not in person.page


async def test_a_provider_without_a_sign_out(open_site: OpenSite) -> None:
    site = await open_site()
    site.provider.lies = Lies(metadata={"end_session_endpoint": GONE})
    person = site.person()
    await sign_out(person)
    assert person.answer.headers["Location"] == "/logout"


async def test_it_may_be_turned_off(open_site: OpenSite) -> None:
    """Then the ID token is not kept either."""
    site = await open_site(logout=False)
    person = site.person()
    await person.sign_in_upstream()
    assert (await site.session())["upstream"] == {"provider": "acme", "id_token": ""}
    await person.open("/logout")
    await person.submit("/logout")
    assert person.answer.headers["Location"] == "/logout"


async def test_a_long_id_token_is_not_kept(site: Site, person: Person) -> None:
    """It would be longer than an address may be."""
    site.provider.person["groups"] = [f"group-{number}" for number in range(500)]
    await sign_out(person)
    assert "id_token_hint" not in person.address
    assert URL(person.address).query["client_id"] == CLIENT_ID


async def test_a_provider_that_is_down_keeps_nobody_signed_in(site: Site, person: Person) -> None:
    await person.sign_in_upstream()
    other = await site.stage.start_worker()
    site.provider.lies = Lies(status={"/.well-known/openid-configuration": 500})
    person.client, jar = other.client, person.client.session.cookie_jar
    cookies = {cookie.key: cookie.value for cookie in jar}
    other.client.session.cookie_jar.update_cookies(cookies, other.client.make_url("/"))
    await person.open("/logout")
    with capture_logs() as logs:
        await person.submit("/logout")
    assert person.answer.headers["Location"] == "/logout"
    assert [entry["cause"] for entry in logs if entry["event"] == "upstream.failed"] == [
        "unreachable"
    ]
    assert await site.stage.keys("df:s:*") == []
