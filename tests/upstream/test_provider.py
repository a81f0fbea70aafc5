"""A person is sent to a provider and comes back.

The lies are told in `tests/pages/sign_in/upstream/test_callback.py`, where a person meets them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from yarl import URL

from deviceflow.config import Upstream
from deviceflow.core.upstream_person import UpstreamSubject
from deviceflow.upstream.authorization import Answer, Detour
from deviceflow.upstream.errors import Cause, UpstreamError
from deviceflow.upstream.kept import DOCUMENT_KEPT_S, FLOOR_S
from deviceflow.upstream.provider import Provider
from deviceflow.upstream.web_client import WebClient
from tests.stage.clock import Clock
from tests.stage.provider import CLIENT_ID, CLIENT_SECRET, GONE, SUBJECT, Lies, StageProvider

BACK = "http://127.0.0.1:8628/login/upstream/acme/callback"
DETOUR = Detour("state", "nonce", "v" * 43, BACK)

Make = Callable[..., Provider]


@pytest.fixture
async def make(provider: StageProvider, clock: Clock) -> AsyncIterator[Make]:
    """A client of the provider, with other settings where a test has them."""
    client = WebClient()

    def make(**changes: Any) -> Provider:  # noqa: ANN401, settings
        fields: dict[str, Any] = {
            "id": "acme",
            "issuer": provider.issuer,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        upstream = Upstream(**(fields | changes))
        return Provider(upstream, client.fetch, clock=clock, steady=clock)

    yield make
    await client.close()


async def answer_of(provider: StageProvider, own: Provider) -> Answer:
    location = await provider.visit(await own.start(DETOUR))
    return Answer.of(URL(location, encoded=True).query)


async def cause_of(call: Awaitable[object]) -> Cause:
    with pytest.raises(UpstreamError) as caught:
        await call
    return caught.value.cause


async def test_who_signed_in(provider: StageProvider, make: Make, clock: Clock) -> None:
    provider.person |= {"amr": ["pwd"], "acr": "1", "sid": "s-1"}
    own = make()
    identity = await own.finish(await answer_of(provider, own), DETOUR)
    assert identity.whose == UpstreamSubject(provider.issuer, SUBJECT)
    assert identity.claims["email"] == "ada@example.com"
    assert (identity.amr, identity.acr, identity.sid) == (("pwd",), "1", "s-1")
    assert identity.auth_time == int(clock()) - 10
    assert identity.id_token.count(".") == 2


async def test_metadata_and_keys_are_fetched_once_in_a_while(
    provider: StageProvider, make: Make, clock: Clock
) -> None:
    own = make()
    for _ in range(3):
        await own.finish(await answer_of(provider, own), DETOUR)
    path = "/.well-known/openid-configuration"
    assert (len(provider.requests(path)), len(provider.requests("/jwks"))) == (1, 1)
    clock.now += DOCUMENT_KEPT_S
    await own.finish(await answer_of(provider, own), DETOUR)
    assert (len(provider.requests(path)), len(provider.requests("/jwks"))) == (2, 2)


async def test_another_verifier_or_nonce_is_noticed(provider: StageProvider, make: Make) -> None:
    own = make()
    answer = await answer_of(provider, own)
    other = DETOUR._replace(verifier="w" * 43)
    assert await cause_of(own.finish(answer, other)) is Cause.TOKEN_REFUSED
    answer = await answer_of(provider, own)
    other = DETOUR._replace(nonce="other")
    assert await cause_of(own.finish(answer, other)) is Cause.BAD_ID_TOKEN


async def test_a_provider_that_pretends_to_be_another_one(
    provider: StageProvider, make: Make, clock: Clock
) -> None:
    own = make()
    provider.lies = Lies(metadata={"issuer": "https://sso.example.com"})
    assert await cause_of(own.start(DETOUR)) is Cause.BAD_METADATA
    provider.lies = Lies()
    clock.now += FLOOR_S
    assert (await own.start(DETOUR)).startswith(provider.issuer)


@pytest.mark.parametrize(
    ("lies", "cause"),
    [
        (Lies(status={"/.well-known/openid-configuration": 404}), Cause.BAD_RESPONSE),
        (Lies(status={"/.well-known/openid-configuration": 503}), Cause.UNREACHABLE),
        (Lies(bodies={"/.well-known/openid-configuration": b"<html>"}), Cause.BAD_RESPONSE),
        (Lies(metadata={"jwks_uri": GONE}), Cause.BAD_METADATA),
        (Lies(metadata={"token_endpoint": "http://192.0.2.1/"}), Cause.BAD_METADATA),
    ],
)
async def test_metadata_that_is_no_good(
    provider: StageProvider, make: Make, lies: Lies, cause: Cause
) -> None:
    provider.lies = lies
    assert await cause_of(make().start(DETOUR)) is cause


async def test_a_private_key_in_place_of_a_secret(
    provider: StageProvider, make: Make, tmp_path: Path
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
    own = make(client_secret=None, key_file=str(file))
    await own.finish(await answer_of(provider, own), DETOUR)
    (sent,) = provider.requests("/token")
    assert sent["client_assertion"].count(".") == 2
    assert sent["authorization"] == ""


async def test_the_way_to_sign_out_there(provider: StageProvider, make: Make) -> None:
    address = URL(str(await make().end_session_url("an.id.token", "http://127.0.0.1:8628/logout")))
    assert dict(address.query) == {
        "theme": "plain",
        "id_token_hint": "an.id.token",
        "client_id": CLIENT_ID,
        "post_logout_redirect_uri": "http://127.0.0.1:8628/logout",
    }
    assert "id_token_hint" not in str(await make().end_session_url("", BACK))
    assert await make(logout=False).end_session_url("x", BACK) is None
    provider.lies = Lies(metadata={"end_session_endpoint": GONE})
    assert await make().end_session_url("x", BACK) is None


async def test_a_logout_token(provider: StageProvider, make: Make) -> None:
    own = make()
    token = await own.read_logout(provider.logout_token(sid="s-1"))
    assert (token.subject, token.sid, token.jti) == (SUBJECT, "s-1", "logout-1")
    for bad in ("", "x", "a.b.c", provider.logout_token(aud="other")):
        assert await cause_of(own.read_logout(bad)) is Cause.BAD_ID_TOKEN
