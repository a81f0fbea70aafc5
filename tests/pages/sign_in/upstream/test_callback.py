"""The way back from a provider: a session, or a page that says why there is none."""

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from structlog.testing import capture_logs
from yarl import URL

from deviceflow.core.upstream_person import UpstreamSubject
from tests.pages.sign_in.upstream.conftest import OpenSite, Person, Site
from tests.stage.oauth import ISSUER
from tests.stage.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    ED_KEY,
    FOREIGN_KEY,
    GONE,
    KEY,
    SUBJECT,
    Lies,
    rsa_key,
)


async def test_a_person_signs_in_and_the_device_gets_tokens(site: Site) -> None:
    """The whole way, outside in: the tokens say how the person signed in at the provider."""
    site.provider.person |= {"amr": ["pwd", "otp"], "acr": "urn:example:mfa"}
    codes = (await site.worker.authorize(scope="openid profile email")).body
    person = site.person()
    await person.sign_in_upstream(codes["user_code"])
    await person.follow()
    assert person.typed == codes["user_code"]
    await person.submit("/device", user_code=codes["user_code"])
    await person.follow()
    await person.press("approve")
    tokens = (await site.worker.poll(codes["device_code"])).body
    claims = site.worker.parts.signer.verify(tokens["id_token"]).claims
    assert claims["amr"] == ["pwd", "otp"]
    assert claims["acr"] == "urn:example:mfa"
    assert claims["auth_time"] == int(site.stage.clock()) - 10
    assert claims["preferred_username"] == "ada"
    assert claims["name"] == "Ada Lovelace"
    assert claims["email"] == "ada@example.com"
    assert claims["sub"].startswith("user_")


async def test_the_token_request_is_what_the_specification_says(site: Site) -> None:
    await site.person().sign_in_upstream()
    (sent,) = site.provider.requests("/token")
    assert sent["grant_type"] == "authorization_code"
    assert sent["redirect_uri"] == f"{ISSUER}/login/upstream/acme/callback"
    assert len(sent["code_verifier"]) == 43
    assert sent["authorization"] == f"{CLIENT_ID}:a+secret%3A+100%25+%26+more"


# Lies

FOREIGN = {"iss": "https://elsewhere.example"}
ID_TOKEN_LIES = {
    "issuer": Lies(claims=FOREIGN),
    "audience": Lies(claims={"aud": "other"}),
    "party": Lies(claims={"aud": [CLIENT_ID, "other"]}),
    "nonce": Lies(claims={"nonce": "replayed"}),
    "no nonce": Lies(claims={"nonce": GONE}),
    "expired": Lies(claims={"exp": 1}),
    "of tomorrow": Lies(claims={"iat": 1 << 40}),
    "no subject": Lies(claims={"sub": GONE}),
    "another key": Lies(signs_with=FOREIGN_KEY),
    "another key under a known id": Lies(signs_with=FOREIGN_KEY, header={"kid": KEY.kid}),
    "no algorithm": Lies(id_token="eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."),
    "no JWT": Lies(id_token="not a token"),
    "an empty token": Lies(id_token="..", header={}),
    "a token of another kind": Lies(header={"typ": "at+jwt"}),
    "a critical header": Lies(header={"crit": ["x"], "x": 1}),
    "hash of another access token": Lies(claims={"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}),
}
OTHER_LIES = {
    "answer of another issuer": ("bad_issuer", Lies(answer=FOREIGN)),
    "answer of no issuer": ("bad_issuer", Lies(answer={"iss": GONE})),
    "error of another issuer": (
        "bad_issuer",
        Lies(answer=FOREIGN | {"error": "access_denied", "code": GONE}),
    ),
    "neither code nor error": ("bad_response", Lies(answer={"code": GONE})),
    "no ID token": ("bad_response", Lies(tokens={"id_token": GONE})),
    "a token of an unknown type": ("bad_response", Lies(tokens={"token_type": "mac"})),
    "no access token": ("bad_response", Lies(tokens={"access_token": 7})),
    "tokens that are no JSON": ("bad_response", Lies(bodies={"/token": b"<html>"})),
    "tokens that are a list": ("bad_response", Lies(bodies={"/token": b"[]"})),
    "tokens without end": ("bad_response", Lies(bodies={"/token": b" " * 300_000})),
    "nested tokens": ("bad_response", Lies(bodies={"/token": b'{"a":' * 50_000})),
    "a redirect": (
        "bad_response",
        Lies(status={"/token": 307}, headers={"Location": "http://127.0.0.1:1/"}),
    ),
    "compressed tokens": ("bad_response", Lies(headers={"Content-Encoding": "br"})),
    "a used code": ("token_refused", Lies(answer={"code": "used"})),
    "keys that are none": ("bad_keys", Lies(bodies={"/jwks": b'{"keys": 7}'})),
    "keys without end": ("bad_response", Lies(bodies={"/jwks": b"{" + b" " * 300_000})),
    "no usable keys": (
        "bad_id_token",
        Lies(bodies={"/jwks": b'{"keys": [7, {}, {"kty": "oct"}]}'}),
    ),
}


async def check_refusal(site: Site, person: Person, cause: str) -> None:
    """Nobody is signed in, a page says so, and one line says why, with no secret in it."""
    with capture_logs() as logs:
        answer = await person.come_back()
    assert answer.status == 502, person.text
    assert "Acme" in person.text
    assert "did not pass a check" in person.text
    assert "/login?user_code=BCDF-GHJK" in person.page
    (line,) = [entry for entry in logs if entry["event"] == "upstream.failed"]
    assert (line["upstream"], line["cause"]) == ("acme", cause)
    secrets = [CLIENT_SECRET, *site.provider.requests("/authorize")[-1].values()]
    told = [secret for secret in secrets if len(secret) > 12 and secret in str(logs)]
    assert [secret for secret in told if not secret.startswith("http")] == []
    assert await site.stage.keys("df:s:*") == []
    assert (await site.users.all()).accounts == [await site.users.find("bob")]
    assert not [entry for entry in logs if entry["event"] == "page.failed"]


@pytest.mark.parametrize("lie", ID_TOKEN_LIES)
async def test_an_id_token_that_lies(site: Site, person: Person, lie: str) -> None:
    await person.leave("BCDF-GHJK")
    site.provider.lies = ID_TOKEN_LIES[lie]
    await check_refusal(site, person, "bad_id_token")


@pytest.mark.parametrize("lie", OTHER_LIES)
async def test_a_provider_that_lies(site: Site, person: Person, lie: str) -> None:
    await person.leave("BCDF-GHJK")
    cause, site.provider.lies = OTHER_LIES[lie]
    await check_refusal(site, person, cause)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256"])
async def test_an_algorithm_that_is_not_announced(
    site: Site, person: Person, algorithm: str
) -> None:
    """RS256 is good in general, but this provider says that it signs with ES256 only."""
    site.provider.lies = Lies(metadata={"id_token_signing_alg_values_supported": ["ES256"]})
    await person.leave("BCDF-GHJK")
    site.provider.published = [KEY, rsa_key()]
    secret = OctKey.import_key(CLIENT_SECRET)
    header = {"alg": algorithm, "kid": KEY.kid}
    if algorithm == "RS256":
        site.provider.key = rsa_key()
    elif algorithm == "HS256":
        token = jwt.encode(header, {"sub": "1"}, secret, algorithms=["HS256"])
        site.provider.lies = Lies(id_token=token)
    else:
        site.provider.lies = Lies(id_token="eyJhbGciOiJub25lIn0.e30.")
    await check_refusal(site, person, "bad_id_token")


async def test_an_algorithm_that_the_settings_do_not_allow(open_site: OpenSite) -> None:
    site = await open_site(algorithms=("RS256",))
    person = site.person()
    await person.leave("BCDF-GHJK")
    await check_refusal(site, person, "bad_id_token")
    site.provider.key, site.provider.published = rsa_key(), [rsa_key()]
    site.stage.clock.now += 60
    assert (await person.sign_in_upstream()).status == 303


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
async def test_other_algorithms(site: Site, algorithm: str) -> None:
    key = rsa_key() if algorithm == "RS256" else ED_KEY
    site.provider.key, site.provider.published = key, [key]
    assert (await site.person().sign_in_upstream()).status == 303


async def test_a_new_key_is_found(site: Site) -> None:
    """A provider that changes its key needs no restart here."""
    await site.person().sign_in_upstream()
    site.provider.key, site.provider.published = rsa_key(), [KEY, rsa_key()]
    site.stage.clock.now += 60
    assert (await site.person().sign_in_upstream()).status == 303
    assert len(site.provider.requests("/jwks")) == 2


async def test_made_up_key_ids_cost_few_requests(site: Site) -> None:
    await site.person().sign_in_upstream()
    site.provider.lies = Lies(header={"kid": "made up"})
    for _ in range(5):
        assert (await site.person().sign_in_upstream()).status == 502
    assert len(site.provider.requests("/jwks")) == 1


async def test_a_key_without_an_id(site: Site) -> None:
    site.provider.lies = Lies(header={"kid": GONE})
    site.provider.published = [rsa_key(), KEY]
    assert (await site.person().sign_in_upstream()).status == 303


# Errors of the provider


async def test_a_person_who_cancels(site: Site, person: Person) -> None:
    await person.leave("BCDF-GHJK")
    site.provider.lies = Lies(
        answer={"code": GONE, "error": "access_denied", "error_description": "<b>evil</b>"}
    )
    assert (await person.come_back()).status == 403
    assert "cancelled or not allowed" in person.text
    assert "evil" not in person.page
    assert "/login?user_code=BCDF-GHJK" in person.page


@pytest.mark.parametrize(
    ("error", "shown"),
    [("login_required", "login_required"), ("<script>", "unknown_error"), ("x" * 99, "unknown_")],
)
async def test_any_other_error(site: Site, person: Person, error: str, shown: str) -> None:
    await person.leave()
    site.provider.lies = Lies(answer={"code": GONE, "error": error})
    assert (await person.come_back()).status == 403
    assert shown in person.text
    assert "<script>" not in person.page


async def test_a_provider_that_is_busy(site: Site, person: Person) -> None:
    await person.leave()
    site.provider.lies = Lies(answer={"code": GONE, "error": "temporarily_unavailable"})
    answer = await person.come_back()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "does not answer at the moment" in person.text


@pytest.mark.parametrize("path", ["/token", "/jwks"])
async def test_a_provider_that_fails_in_between(site: Site, person: Person, path: str) -> None:
    await person.leave()
    site.provider.lies = Lies(status={path: 500}, bodies={path: b"oops"})
    assert (await person.come_back()).status == 503
    assert await site.stage.keys("df:l:*") == [], "no fault of the person's, so it is no try"


# Answers that do not count


async def test_an_answer_counts_once(site: Site, person: Person) -> None:
    await person.leave("BCDF-GHJK")
    answer = await site.provider.visit(person.address)
    before = person.worker.client.session.cookie_jar.filter_cookies(
        person.worker.client.make_url("/")
    )
    assert (await person.arrive(answer)).status == 303
    person.worker.client.session.cookie_jar.clear()
    person.worker.client.session.cookie_jar.update_cookies(
        before, person.worker.client.make_url("/")
    )
    assert (await person.arrive(answer)).status == 403
    assert "has been used before" in person.text
    assert len(site.provider.requests("/token")) == 1


async def test_an_answer_in_another_browser(site: Site) -> None:
    """A stranger who sends a person an answer of their own cannot sign the person in."""
    stranger = site.person()
    await stranger.leave()
    answer = await site.provider.visit(stranger.address)
    victim = site.person()
    await victim.open("/login")
    assert (await victim.arrive(answer)).status == 403
    assert "began in another browser" in victim.text
    assert site.provider.requests("/token") == []


async def test_an_answer_without_any_cookie(site: Site, person: Person) -> None:
    await person.leave()
    answer = await site.provider.visit(person.address)
    assert (await site.person().arrive(answer)).status == 403


async def test_a_late_answer(site: Site, person: Person) -> None:
    await person.leave("BCDF-GHJK")
    answer = await site.provider.visit(person.address)
    site.stage.clock.now += 600
    assert (await person.arrive(answer)).status == 403
    assert "took too long" in person.text
    assert "/login?user_code=BCDF-GHJK" in person.page


@pytest.mark.parametrize("state", ["", "x", "A" * 60, "A" * 5000, "ü", "A" * 59 + "\x00"])
async def test_a_made_up_state(person: Person, state: str) -> None:
    await person.open("/login/upstream/acme/callback", params={"code": "x", "state": state})
    assert person.answer.status == 403
    assert "does not belong to a sign-in" in person.text


async def test_a_field_that_comes_twice(site: Site, person: Person) -> None:
    await person.leave()
    answer = await site.provider.visit(person.address)
    assert (await person.arrive(f"{answer}&code=another")).status == 400


async def test_an_answer_to_another_provider(open_site: OpenSite) -> None:
    """Mix-up: the answer of one provider does not count at the callback of another one."""
    site = await open_site(second=True)
    person = site.person()
    await person.leave(provider="acme")
    answer = await site.provider.visit(person.address)
    await person.arrive(answer.replace("/acme/", "/second/"))
    assert person.answer.status == 403
    assert site.provider.requests("/token") == []


async def test_too_many_answers(site: Site, person: Person) -> None:
    """Each costs a request to the provider, so an address may not make any number of them."""
    await site.worker.parts.limits.hit("sign-in.address", "127.0.0.1", limit=300, window_s=1800)
    for number in range(299):
        await site.worker.parts.limits.hit(
            "sign-in.address", "127.0.0.1", limit=300, window_s=1800, try_id=str(number)
        )
    answer = await person.sign_in_upstream()
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0


# By form_post


async def test_an_answer_by_form_post(open_site: OpenSite) -> None:
    """The browser sends no cookie with the provider's form; it is led to a GET, where it does."""
    site = await open_site(response_mode="form_post")
    person = site.person()
    await person.leave("BCDF-GHJK")
    assert URL(person.address).query["response_mode"] == "form_post"
    answer = URL(await site.provider.visit(person.address), encoded=True)
    fields = dict(answer.query) | {"session_state": "x", "id_token": "y"}
    status, _, location = await person.post_as_provider(answer.path, fields)
    assert status == 303
    assert fields["code"] not in location
    assert (await person.arrive(f"{ISSUER}{location}")).status == 303
    await person.follow()
    assert person.typed == "BCDF-GHJK"


async def test_a_posted_answer_of_a_stranger(open_site: OpenSite) -> None:
    """It is not kept, unless this server has made its state a moment ago."""
    site = await open_site(response_mode="form_post")
    person = site.person()
    path = "/login/upstream/acme/callback"
    status, page, _ = await person.post_as_provider(path, {"state": "A" * 60, "code": "x"})
    assert status == 403
    assert "does not belong to a sign-in" in page
    assert await site.stage.keys("df:x:*") == []


async def test_a_posted_answer_that_is_not_expected(person: Person) -> None:
    path = "/login/upstream/acme/callback"
    status, _, _ = await person.post_as_provider(path, {"state": "x"})
    assert status == 405


async def test_the_get_after_a_post_that_has_ended(open_site: OpenSite) -> None:
    site = await open_site(response_mode="form_post")
    person = site.person()
    await person.leave()
    answer = URL(await site.provider.visit(person.address), encoded=True)
    assert (
        await person.arrive(f"{ISSUER}{answer.path}?state={answer.query['state']}")
    ).status == 502


# Userinfo


async def test_what_the_id_token_lacks_comes_from_userinfo(site: Site) -> None:
    site.provider.in_userinfo = {"preferred_username", "name", "email", "email_verified"}
    await site.person().sign_in_upstream()
    account = await site.users.find("ada")
    assert account is not None
    assert (account.name, account.email) == ("Ada Lovelace", "ada@example.com")
    assert len(site.provider.requests("/userinfo")) == 1


async def test_userinfo_is_not_asked_for_nothing(site: Site) -> None:
    await site.person().sign_in_upstream()
    assert site.provider.requests("/userinfo") == []


@pytest.mark.parametrize(
    "lies",
    [
        Lies(userinfo={"sub": "somebody else"}),
        Lies(userinfo={"sub": GONE}),
        Lies(status={"/userinfo": 401}),
        Lies(bodies={"/userinfo": b"eyJhbGciOiJSUzI1NiJ9.e30.x"}),
    ],
)
async def test_userinfo_that_lies(site: Site, person: Person, lies: Lies) -> None:
    await person.leave("BCDF-GHJK")
    site.provider.in_userinfo = {"name"}
    site.provider.lies = lies
    await check_refusal(site, person, "bad_userinfo")


async def test_an_address_is_verified_where_it_stands(site: Site) -> None:
    """The ID token's address with userinfo's email_verified would be two halves of two truths."""
    site.provider.in_userinfo = {"email_verified"}
    site.provider.person |= {"email": "root@example.com"}
    site.provider.lies = Lies(userinfo={"email": "ada@example.com"})
    await site.person().sign_in_upstream()
    account = await site.users.find("ada")
    assert account is not None
    assert account.email == "ada@example.com"


# Levels and ages


async def test_a_weaker_sign_in_than_asked_for(open_site: OpenSite) -> None:
    site = await open_site(acr_values=("mfa",), max_age_s=100)
    person = site.person()
    await person.leave("BCDF-GHJK")
    sent = URL(person.address).query
    assert (sent["acr_values"], sent["max_age"]) == ("mfa", "100")
    await check_refusal(site, person, "bad_id_token")
    site.provider.person["acr"] = "mfa"
    assert (await person.sign_in_upstream()).status == 303
    site.provider.lies = Lies(claims={"auth_time": 1})
    assert (await site.person().sign_in_upstream()).status == 502


async def test_what_the_provider_does_not_say_is_not_made_up(site: Site) -> None:
    site.provider.lies = Lies(claims={"auth_time": GONE})
    await site.person().sign_in_upstream()
    session = await site.session()
    assert session["amr"] == []
    assert session["acr"] is None
    assert session["auth_time"] == int(site.stage.clock())


# Who may come in


async def test_without_an_account(open_site: OpenSite) -> None:
    site = await open_site(allow_create=False)
    person = site.person()
    with capture_logs() as logs:
        assert (await person.sign_in_upstream()).status == 403
    assert "you have no account on this site" in person.text
    (line,) = [entry for entry in logs if entry["event"] == "upstream.not_admitted"]
    assert (line["reason"], line["subject"]) == ("no_account", SUBJECT)
    bob = await site.users.find("bob")
    assert bob is not None
    await site.worker.parts.links.link(UpstreamSubject(site.provider.issuer, SUBJECT), bob)
    assert (await person.sign_in_upstream()).status == 303
    assert (await site.session())["sub"] == "sub-bob"


async def test_groups_and_domains(open_site: OpenSite) -> None:
    site = await open_site(groups=("staff",), email_domains=("example.com",))
    person = site.person()
    assert (await person.sign_in_upstream()).status == 403
    assert "members of some groups" in person.text
    site.provider.person |= {"groups": ["staff"], "email_verified": False}
    assert (await person.sign_in_upstream()).status == 403
    assert "has not verified your e-mail address" in person.text
    site.provider.person |= {"email_verified": True, "email": "ada@evil.example"}
    assert (await person.sign_in_upstream()).status == 403
    assert "e-mail addresses of some organisations" in person.text
    site.provider.person |= {"email": "ada@example.com"}
    assert (await person.sign_in_upstream()).status == 303


async def test_a_disabled_account_stays_out(site: Site) -> None:
    await site.person().sign_in_upstream()
    account = await site.users.find("ada")
    assert account is not None
    await site.users.put(msgspec.structs.replace(account, disabled=True))
    person = site.person()
    assert (await person.sign_in_upstream()).status == 403
    assert "account here is disabled" in person.text


async def test_a_local_account_is_never_taken_over(site: Site) -> None:
    """The provider calls somebody bob, but bob is a person of this server."""
    site.provider.person |= {"preferred_username": "Bob"}
    await site.person().sign_in_upstream()
    session = await site.session()
    assert session["sub"] != "sub-bob"
    assert session["username"].startswith("bob-")


async def test_no_name_is_free(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken(_: str) -> object:
        return await site.users.find("bob")

    monkeypatch.setattr(site.users, "find_typed", taken)
    person = site.person()
    assert (await person.sign_in_upstream()).status == 503
    assert "no name for a new one is free" in person.text
