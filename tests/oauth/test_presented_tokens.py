"""Which access tokens may be used: issued here, unexpired, not revoked, for the audience."""

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core.claims import ACCESS_TOKEN_TYPE
from deviceflow.oauth.presented_tokens import PresentedTokens
from tests.stage.clock import Clock
from tests.stage.oauth import People, Worker
from tests.stage.proving import API, ISSUER, claims_of, revoke, tokens, with_surface

CLIENTS = pytest.mark.parametrize("client_id", ["tv-app", "opaque"])


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


@pytest.fixture
def presented(worker: Worker) -> PresentedTokens:
    parts = worker.parts
    return PresentedTokens(
        issuer=ISSUER,
        signer=parts.signer,
        access_tokens=parts.access_tokens,
        redemptions=parts.redemptions,
        users=parts.users,
        clients=parts.clients,
        revocations=parts.client_revocations,
        clock=parts.clock,
    )


@CLIENTS
async def test_a_good_token(
    worker: Worker, people: People, presented: PresentedTokens, client_id: str
) -> None:
    """7662-4: a JWT and an opaque token, at any audience, at this server, at one of several."""
    token = (await tokens(worker, people, client_id))["access_token"]
    claims = await presented.read(token)
    assert claims is not None
    assert (claims["sub"], claims["client_id"]) == ("sub-ada", client_id)
    for active in (
        await presented.active(token),
        await presented.active_here(token),
        await presented.active(token, [API, ISSUER]),
    ):
        assert active is not None
        assert active.claims == claims
        assert active.account.username == "ada"


@CLIENTS
async def test_another_audience(
    worker: Worker, people: People, presented: PresentedTokens, client_id: str
) -> None:
    """9068-4: read, but not active there."""
    token = (await tokens(worker, people, client_id))["access_token"]
    assert await presented.active(token, [API]) is None
    assert await presented.read(token) is not None


@CLIENTS
async def test_an_expired_token(
    worker: Worker, people: People, presented: PresentedTokens, clock: Clock, client_id: str
) -> None:
    body = await tokens(worker, people, client_id)
    clock.advance(body["expires_in"] - 1)
    assert await presented.active(body["access_token"]) is not None
    clock.advance(1)
    assert await presented.read(body["access_token"]) is None


async def test_a_revoked_token(worker: Worker, people: People, presented: PresentedTokens) -> None:
    """It can still be read, so that a second revocation gets the same answer as the first."""
    token = (await tokens(worker, people))["access_token"]
    await revoke(worker, token)
    assert await presented.read(token) is not None
    assert await presented.active(token) is None


async def test_a_person_who_was_disabled(
    worker: Worker, people: People, presented: PresentedTokens
) -> None:
    token = (await tokens(worker, people))["access_token"]
    account = await people.users.find("ada")
    assert account is not None
    await people.users.put(msgspec.structs.replace(account, disabled=True))
    assert await presented.active(token) is None


async def test_a_client_that_is_gone_or_disabled(
    worker: Worker, people: People, presented: PresentedTokens
) -> None:
    token = (await tokens(worker, people, "tv-app"))["access_token"]
    assert presented.serves("tv-app")
    assert not presented.serves("off")
    assert not presented.serves("nobody")
    signer = worker.parts.signer
    for client_id in ("off", "nobody"):
        other = signer.sign(claims_of(token) | {"client_id": client_id}, ACCESS_TOKEN_TYPE)
        assert await presented.read(other) is not None
        assert await presented.active(other) is None


async def test_other_tokens_that_this_server_signs(
    worker: Worker, people: People, presented: PresentedTokens
) -> None:
    """9068-4-a: an ID token; and a token of another issuer with the same key."""
    body = await tokens(worker, people)
    assert await presented.read(body["id_token"]) is None
    foreign = claims_of(body["access_token"]) | {"iss": "https://other.example"}
    signed = worker.parts.signer.sign(foreign, ACCESS_TOKEN_TYPE)
    assert await presented.read(signed) is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "dfa_", "dfa_" + "A" * 43, "é", "dfa_é"])
async def test_garbage(presented: PresentedTokens, token: str) -> None:
    assert await presented.read(token) is None
    assert await presented.active(token) is None
