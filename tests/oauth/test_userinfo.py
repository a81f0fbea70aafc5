"""GET and POST /oauth2/userinfo (OpenID Connect Core 5.3, RFC 6750)."""

import msgspec
import pytest

from deviceflow.config import Settings
from tests.stage.clock import Clock
from tests.stage.oauth import People, Worker
from tests.stage.proving import USERINFO, revoke, tokens, userinfo, with_surface

INVALID_TOKEN = (401, "invalid_token")
INVALID_REQUEST = (400, "invalid_request")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


@pytest.mark.parametrize("client_id", ["tv-app", "opaque"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_about_the_person(
    worker: Worker, people: People, client_id: str, method: str
) -> None:
    """OIDC-5.3.2-a, 6750-2-a; 6750-5.3-a: no cookies."""
    token = (await tokens(worker, people, client_id))["access_token"]
    answer = await userinfo(worker, f"bearer {token}", method=method)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert "Set-Cookie" not in answer.headers
    assert answer.body == {
        "sub": "sub-ada",
        "name": "Ada",
        "preferred_username": "ada",
        "email": "ada@example.com",
    }


async def test_as_far_as_the_scope_allows(worker: Worker, people: People) -> None:
    token = (await tokens(worker, people, scope="openid"))["access_token"]
    assert (await userinfo(worker, f"Bearer {token}")).body == {"sub": "sub-ada"}


async def test_not_an_openid_token(worker: Worker, people: People) -> None:
    """6750-3.1-a: insufficient_scope."""
    token = (await tokens(worker, people, scope="profile"))["access_token"]
    answer = await userinfo(worker, f"Bearer {token}")
    assert answer.outcome == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("authorization", ["", "Basic eDp5", "Bearer", "Bearer ", "Token x"])
async def test_no_token(worker: Worker, authorization: str) -> None:
    """6750-3-a: a challenge without an error code."""
    answer = await userinfo(worker, authorization)
    assert (answer.status, answer.body) == (401, {})
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert "error" not in answer.headers["WWW-Authenticate"]


async def test_the_algorithms_of_a_proof(worker: Worker) -> None:
    """RFC 9449 7.1: the challenge names what the metadata names."""
    async with worker.client.get("/.well-known/openid-configuration") as response:
        known = (await response.json())["dpop_signing_alg_values_supported"]
    async with worker.client.get("/oauth2/userinfo") as response:
        assert f'DPoP algs="{" ".join(known)}"' in response.headers["WWW-Authenticate"]


async def test_two_ways_at_once(worker: Worker, people: People) -> None:
    """6750-2-a: header and body, header and address, two headers."""
    token = (await tokens(worker, people))["access_token"]
    header = ("Authorization", f"Bearer {token}")
    for options in (
        {"data": {"access_token": token}, "headers": [header]},
        {"params": {"access_token": token}, "headers": [header]},
        {"headers": [header, header]},
    ):
        assert (await worker.post(USERINFO, options.pop("data", None), **options)).outcome == (
            INVALID_REQUEST
        )


async def test_a_token_in_the_address(worker: Worker, people: People) -> None:
    """6750-2.3-a."""
    token = (await tokens(worker, people))["access_token"]
    answer = await userinfo(worker, params={"access_token": token})
    assert answer.outcome == INVALID_REQUEST


async def test_other_kinds_of_tokens(worker: Worker, people: People) -> None:
    """9068-4-a: an ID token, which the same key signs, and other tokens are refused."""
    grant = await worker.authorize()
    body = await tokens(worker, people)
    for token in (body["id_token"], body["refresh_token"], grant.body["device_code"]):
        answer = await userinfo(worker, f"Bearer {token}")
        assert answer.outcome == INVALID_TOKEN
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "token", ["x", "a.b.c", "dfa_", "dfa_" + "A" * 43, "é", "dfa_é", "dfa_\udcff", "\udcff", "a b"]
)
async def test_garbage(worker: Worker, token: str) -> None:
    """6750-3.1-a: also bytes that are not text."""
    sent = f"Bearer {token}".encode(errors="surrogateescape")
    answer = await worker.raw(
        b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n" % (USERINFO.encode(), sent)
    )
    assert answer.outcome == INVALID_TOKEN


@pytest.mark.parametrize("client_id", ["tv-app", "opaque"])
async def test_expired(worker: Worker, people: People, clock: Clock, client_id: str) -> None:
    """6750-3.1-a, 6750-5.3-a."""
    body = await tokens(worker, people, client_id)
    assert body["expires_in"] <= 3600
    clock.advance(body["expires_in"])
    assert (await userinfo(worker, f"Bearer {body['access_token']}")).outcome == INVALID_TOKEN


async def test_revoked(worker: Worker, people: People) -> None:
    body = await tokens(worker, people)
    await revoke(worker, body["access_token"])
    assert (await userinfo(worker, f"Bearer {body['access_token']}")).outcome == INVALID_TOKEN


async def test_a_person_who_was_disabled(worker: Worker, people: People) -> None:
    token = (await tokens(worker, people))["access_token"]
    account = await people.users.find("ada")
    assert account is not None
    await people.users.put(msgspec.structs.replace(account, disabled=True))
    assert (await userinfo(worker, f"Bearer {token}")).outcome == INVALID_TOKEN
