"""Whatever comes to the addresses for providers, the answer is a page or an error, never a 500."""

from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pages.sign_in.upstream.conftest import OpenSite, Site
from tests.stage.provider import Lies

NAMES = st.sampled_from(["state", "code", "iss", "error", "logout_token", "user_code", "x"])
FIELDS = st.lists(st.tuples(NAMES, st.text(max_size=80)), max_size=6)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
ANSWERS = {200, 303, 400, 403, 404, 405, 413, 415, 429, 502, 503}


@SHARED
@given(fields=FIELDS, tail=st.sampled_from(["", "/callback", "/logout"]))
async def test_random_forms_and_queries(
    site: Site, fields: list[tuple[str, str]], tail: str
) -> None:
    text = urlencode(fields, errors="replace")
    person = site.person()
    path = f"/login/upstream/acme{tail}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await person.open(f"{path}?{text}")).status in ANSWERS
    assert (await person.post(path, data=text, headers=headers)).status in ANSWERS


@SHARED
@given(tokens=st.dictionaries(st.sampled_from(["id_token", "access_token", "error"]), st.text()))
async def test_random_tokens(site: Site, tokens: dict[str, str]) -> None:
    person = site.person()
    await person.leave()
    site.provider.lies = Lies(tokens=tokens)
    answer = await person.come_back()
    site.provider.lies = Lies()
    site.stage.clock.now += 1800
    assert answer.status in {303, 502, 429}


@SHARED
@given(
    person=st.dictionaries(
        st.sampled_from(["preferred_username", "name", "email", "email_verified", "amr", "acr"]),
        st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=3),
    )
)
async def test_random_people(site: Site, person: dict[str, object]) -> None:
    """Whatever a provider calls a person, the person gets an account with a usable name."""
    site.provider.person = {"sub": str(sorted(person.items(), key=str))[:200]} | person
    if not site.provider.person["sub"].isprintable():
        site.provider.person["sub"] = "1"
    answer = await site.person().sign_in_upstream()
    assert answer.status == 303
    assert all(account.username for account in (await site.users.all()).accounts)


async def test_random_bytes_as_a_form_post(open_site: OpenSite) -> None:
    site = await open_site(response_mode="form_post")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"\xff", b"%", b"%zz=1", b"state=%FF", b"a=1&a=2", b"&&&=", b"x" * 70_000):
        answer = await site.person().post(
            "/login/upstream/acme/callback", data=body, headers=headers
        )
        assert answer.status in {400, 403, 413}
