"""Logout by the provider's server."""

from typing import Any
from unittest import mock

import pytest
from structlog.testing import capture_logs

from deviceflow.store.upstream_sessions import ProviderSession, UpstreamSessions
from tests.pages.sign_in.upstream.conftest import Person, Site
from tests.stage.provider import FOREIGN_KEY, GONE, Lies

PATH = "/login/upstream/acme/logout"


async def is_signed_in(person: Person) -> bool:
    return (await person.open("/device")).status == 200


async def log_out(site: Site, token: str) -> int:
    status, page, _ = await site.person().post_as_provider(PATH, {"logout_token": token})
    assert (page == "") is (status == 200)
    return status


async def signed_in(site: Site, sid: str = "s-1") -> tuple[Person, str]:
    """A person, and the name of the session in the store."""
    site.provider.person["sid"] = sid
    before = set(await site.stage.keys("df:s:*"))
    person = site.person()
    assert (await person.sign_in_upstream()).status == 303
    (name,) = set(await site.stage.keys("df:s:*")) - before
    return person, name


async def test_it_ends_the_session(site: Site) -> None:
    person, _ = await signed_in(site)
    assert await is_signed_in(person)
    cookies = {cookie.key: cookie.value for cookie in person.client.session.cookie_jar}
    with capture_logs() as logs:
        assert await log_out(site, site.provider.logout_token(sid="s-1")) == 200
    (line,) = [entry for entry in logs if entry["event"] == "upstream.logged_out"]
    assert (line["upstream"], line["sessions"]) == ("acme", 1)
    person.client.session.cookie_jar.update_cookies(cookies, person.client.make_url("/"))
    assert not await is_signed_in(person)


async def test_it_ends_only_the_session_that_it_names(site: Site) -> None:
    _, first = await signed_in(site, "s-1")
    _, second = await signed_in(site, "s-2")
    assert await log_out(site, site.provider.logout_token(sid="s-1")) == 200
    assert await site.stage.keys("df:s:*") == [second]
    assert first != second
    assert await log_out(site, site.provider.logout_token(jti="2")) == 200
    assert await site.stage.keys("df:s:*") == []


async def test_it_ends_a_sign_in_that_is_on_its_way(site: Site) -> None:
    """The session is stored after the logout, for an account that was read before it."""
    await signed_in(site)
    before = await site.session()
    account = await site.users.find(before["username"])
    assert account is not None
    assert before["mark"] == account.marks.sessions == 0
    assert await log_out(site, site.provider.logout_token()) == 200
    marked = await site.users.find(account.username)
    assert marked is not None
    assert not marked.marks.allow_session(before["mark"], before["auth_time"])
    assert marked.marks.devices == 0, "devices go on"
    person, _ = await signed_in(site)
    assert await is_signed_in(person)


async def test_it_ends_a_sign_in_of_its_session_that_is_on_its_way(site: Site) -> None:
    """The logout comes while the answer of the provider is fetched."""
    person = site.person()
    site.provider.person["sid"] = "s-1"
    sessions, note = site.worker.parts.upstream_sessions, UpstreamSessions.note

    async def slow(index: UpstreamSessions, *arguments: Any) -> bool:  # noqa: ANN401, as note's
        await sessions.end(ProviderSession("acme", "", "s-1"))
        return await note(index, *arguments)

    with mock.patch.object(UpstreamSessions, "note", slow):
        answer = await person.sign_in_upstream()
    assert answer.headers["Location"] == "/login?notice=ended"
    assert await site.stage.keys("df:s:*") == []
    assert (await person.sign_in_upstream()).status == 303


async def test_a_token_counts_once(site: Site) -> None:
    """A copy of it would end the sessions that the person begins later."""
    token = site.provider.logout_token()
    await signed_in(site)
    assert await log_out(site, token) == 200
    await signed_in(site)
    assert await log_out(site, token) == 400
    assert len(await site.stage.keys("df:s:*")) == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "other"},
        {"nonce": "x"},
        {"events": GONE},
        {"iat": 1},
        {"jti": GONE},
        {"sub": GONE},
    ],
    ids=" ".join,
)
async def test_a_token_that_lies_ends_nothing(site: Site, claims: dict[str, object]) -> None:
    await signed_in(site)
    assert await log_out(site, site.provider.logout_token(**claims)) == 400
    assert len(await site.stage.keys("df:s:*")) == 1


async def test_a_forged_token_ends_nothing(site: Site) -> None:
    await signed_in(site)
    site.provider.lies = Lies(signs_with=FOREIGN_KEY)
    assert await log_out(site, site.provider.logout_token()) == 400
    for token in ("", "x", "a.b.c"):
        assert await log_out(site, token) == 400
    assert len(await site.stage.keys("df:s:*")) == 1


@pytest.mark.parametrize(("kind", "status"), [("logout+jwt", 200), ("JWT", 200), ("at+jwt", 400)])
async def test_the_kind_of_the_token(site: Site, kind: str, status: int) -> None:
    site.provider.lies = Lies(header={"typ": kind})
    assert await log_out(site, site.provider.logout_token()) == status


async def test_what_is_no_form(site: Site) -> None:
    answer = await site.person().post(PATH, json={})
    assert answer.status == 415
    assert (await answer.json()) == {"error": "invalid_request"}


async def test_keys_that_cannot_be_had(site: Site) -> None:
    site.provider.lies = Lies(status={"/jwks": 500})
    answer = await site.person().post(PATH, data={"logout_token": site.provider.logout_token()})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert (await answer.json()) == {"error": "temporarily_unavailable"}
