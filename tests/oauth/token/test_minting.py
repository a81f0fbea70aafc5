"""The claims and signatures of tokens (RFC 9068, OpenID Connect Core)."""

import re
from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from deviceflow.config import Tokens
from tests.stage.checkout import DOCS
from tests.stage.oauth import Answer, Stage, Worker

ISSUER = "http://127.0.0.1:8628"
ALGORITHMS = ["ES256", "Ed25519", "RS256"]


async def redeem(
    stage: Stage, worker: Worker, client_id: str = "tv-app", **parameters: str
) -> Answer:
    grant = await worker.authorize(client_id, **parameters)
    await stage.people.approve(grant.body["user_code"])
    return await worker.poll(grant.body["device_code"], client_id)


async def verified(worker: Worker, token: str) -> jwt.Token:
    """Decode `token` with the published keys, or fail."""
    async with worker.client.get("/oauth2/jwks") as response:
        keys = KeySet.import_key_set(await response.json())
    return jwt.decode(token, keys, algorithms=ALGORITHMS)


async def test_the_access_token(stage: Stage, worker: Worker) -> None:
    """9068-2.1-a, 9068-2.2-a, 9068-2.2.3-a, 9068-3-a, 6749-5.1-a, 6750-5.3-a."""
    answer = await redeem(stage, worker, scope="openid profile")
    token = await verified(worker, answer.body["access_token"])
    now = int(stage.clock.now)
    assert token.header["typ"] == "at+jwt"
    assert token.header["alg"] == "ES256"
    assert len(token.claims.pop("jti")) >= 20
    assert len(token.claims.pop("grant_id")) == 32
    assert token.claims == {
        "iss": ISSUER,
        "sub": "sub-ada",
        "aud": ISSUER,
        "client_id": "tv-app",
        "scope": "openid profile",
        "iat": now,
        "exp": now + 1800,
        "auth_time": 1_700_000_000,
        "amr": ["pwd"],
    }
    assert answer.body["expires_in"] == 1800


async def test_every_token_has_its_own_jti(stage: Stage, worker: Worker) -> None:
    """9068-2.2-a."""
    first = await redeem(stage, worker)
    second = await worker.refresh(first.body["refresh_token"])
    tokens = [await verified(worker, each.body["access_token"]) for each in (first, second)]
    assert tokens[0].claims["jti"] != tokens[1].claims["jti"]


async def test_the_audience_of_a_client(stage: Stage, worker: Worker) -> None:
    """9068-3-a: the configured audience, else the default."""
    answer = await redeem(stage, worker, "typed")
    token = await verified(worker, answer.body["access_token"])
    assert token.claims["aud"] == "https://api.example.com"


async def test_the_id_token(stage: Stage, worker: Worker) -> None:
    """OIDC-3.1.3.3-a: with its own type, for the client, with the claims of the scope."""
    answer = await redeem(stage, worker)
    token = await verified(worker, answer.body["id_token"])
    now = int(stage.clock.now)
    assert token.header["typ"] == "JWT"
    assert token.claims == {
        "iss": ISSUER,
        "sub": "sub-ada",
        "aud": "tv-app",
        "iat": now,
        "exp": now + 3600,
        "auth_time": 1_700_000_000,
        "amr": ["pwd"],
        "preferred_username": "ada",
        "name": "Ada",
        "email": "ada@example.com",
    }


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("openid", set()),
        ("openid profile", {"name", "preferred_username"}),
        ("openid email", {"email"}),
    ],
)
async def test_an_id_token_tells_what_was_granted(
    stage: Stage, worker: Worker, scope: str, told: set[str]
) -> None:
    answer = await redeem(stage, worker, scope=scope)
    token = await verified(worker, answer.body["id_token"])
    assert set(token.claims) & {"name", "preferred_username", "email"} == told


async def test_no_id_token_without_openid(stage: Stage, worker: Worker) -> None:
    """OIDC-3.1.3.3-a: without openid, there is no ID token."""
    answer = await redeem(stage, worker, scope="profile email")
    assert "id_token" not in answer.body


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_the_algorithm_that_is_configured(stage: Stage, algorithm: str) -> None:
    """9068-2.1-a, OIDCD-3-a: signed as the metadata says, with a published key."""
    settings = msgspec.convert({"algorithm": algorithm}, Tokens)
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, tokens=settings))
    answer = await redeem(stage, worker)
    for name in ("access_token", "id_token"):
        token = await verified(worker, answer.body[name])
        assert token.header["alg"] == algorithm
        assert "kid" in token.header
    async with worker.client.get("/.well-known/openid-configuration") as response:
        metadata: dict[str, Any] = await response.json()
    assert algorithm in metadata["id_token_signing_alg_values_supported"]


async def test_a_changed_token_is_not_ours(stage: Stage, worker: Worker) -> None:
    """`verified`, which the other tests use, does check signatures."""
    answer = await redeem(stage, worker)
    head, _, signature = answer.body["access_token"].split(".")
    other = msgspec.json.encode({"iss": ISSUER, "sub": "sub-bob"})
    forged = f"{head}.{urlsafe_b64encode(other).decode().rstrip('=')}.{signature}"
    with pytest.raises(BadSignatureError):
        await verified(worker, forged)


async def test_workers_sign_with_one_key(
    stage: Stage, worker: Worker, other_worker: Worker
) -> None:
    """OIDC-10.1.1-a: a worker verifies the tokens of another."""
    answer = await redeem(stage, other_worker)
    token = await verified(worker, answer.body["access_token"])
    assert token.claims["sub"] == "sub-ada"


SIZE = re.compile(r"^\| ([^|\n]+) \|[^\d\n]*(\d+)(?: to (\d+))?", re.MULTILINE)


async def test_the_documented_sizes(stage: Stage, worker: Worker) -> None:
    """6749-3.3-b, 6749-5.1-a: the sizes in docs/conformance.md are right for a common client."""
    text = (DOCS / "conformance.md").read_text(encoding="utf-8")
    sizes = {name: (int(low), int(high or low)) for name, low, high in SIZE.findall(text)}
    grant = await worker.authorize()
    await stage.people.approve(grant.body["user_code"])
    answer = (await worker.poll(grant.body["device_code"])).body
    assert answer["scope"].split() == list(stage.settings.clients[0].scopes), "the default"

    opaque = msgspec.structs.replace(stage.settings, tokens=Tokens(format="opaque"))
    other = await stage.start_worker(opaque)
    for name, found in {
        "device code": grant.body["device_code"],
        "user code": grant.body["user_code"].replace("-", ""),
        "refresh token": answer["refresh_token"],
        "opaque access token": (await redeem(stage, other)).body["access_token"],
        "JWT (access token, ID token)": answer["access_token"],
    }.items():
        low, high = sizes[name]
        assert low <= len(found) <= high, name
