"""Tokens of clients that have an algorithm of their own."""

import json
from base64 import urlsafe_b64decode

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.signing_key import SigningAlgorithm
from deviceflow.reload import open_signing_keys
from deviceflow.signing.keys import new_key
from tests.stage.oauth import People, Stage, Until, Worker

SCOPE = "openid profile offline_access"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    names: tuple[SigningAlgorithm, ...] = ("RS256", "Ed25519")
    clients = [
        Client(client_id=name.lower(), name=name, scopes=tuple(SCOPE.split()), algorithm=name)
        for name in names
    ]
    return msgspec.structs.replace(settings, clients=(*settings.clients, *clients))


def header_of(token: str) -> dict[str, str]:
    part = token.split(".", maxsplit=1)[0]
    header: dict[str, str] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return header


async def tokens_of(worker: Worker, people: People, client_id: str) -> dict[str, str]:
    grant = await worker.authorize(client_id, scope=SCOPE)
    await people.approve(grant.body["user_code"])
    answer = await worker.poll(grant.body["device_code"], client_id)
    assert answer.status == 200, answer.body
    return answer.body


async def published(worker: Worker) -> dict[str, str]:
    async with worker.client.get("/oauth2/jwks") as response:
        return {key["kid"]: key["alg"] for key in (await response.json())["keys"]}


@pytest.mark.parametrize(
    ("client_id", "algorithm"), [("tv-app", "ES256"), ("rs256", "RS256"), ("ed25519", "Ed25519")]
)
async def test_each_client_gets_its_own(
    worker: Worker, people: People, client_id: str, algorithm: str
) -> None:
    """At the redemption and at a refresh, and both tokens of an answer."""
    first = await tokens_of(worker, people, client_id)
    second = (await worker.refresh(first["refresh_token"], client_id)).body
    keys = await published(worker)
    for token in (first["access_token"], first["id_token"], second["access_token"]):
        header = header_of(token)
        assert header["alg"] == keys[header["kid"]] == algorithm
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    assert (await worker.send("GET", "/oauth2/userinfo", headers=bearer)).status == 200


async def test_what_is_published(worker: Worker) -> None:
    """OIDCD-3-a, 8414-2-a: all that is in use, and nothing else."""
    assert set((await published(worker)).values()) == {"ES256", "RS256", "Ed25519"}
    async with worker.client.get("/.well-known/openid-configuration") as response:
        document = await response.json()
    assert document["id_token_signing_alg_values_supported"] == ["ES256", "RS256", "Ed25519"]
    assert document["introspection_signing_alg_values_supported"] == ["ES256"]


async def test_a_client_that_comes_later(stage: Stage, people: People, until: Until) -> None:
    """Its key is made as soon as the workers hear of the client."""
    few = msgspec.structs.replace(stage.settings, clients=stage.settings.clients[:1])
    worker = await stage.start_worker(few)
    assert "RS256" not in (await published(worker)).values()
    later = Client(client_id="later", name="Later", scopes=tuple(SCOPE.split()), algorithm="RS256")
    await worker.parts.stored_clients.put(later)
    await until(lambda: worker.parts.signer.key_for("RS256"))
    tokens = await tokens_of(worker, people, "later")
    assert header_of(tokens["access_token"])["alg"] == "RS256"


async def test_a_rotation_replaces_each(worker: Worker, people: People, until: Until) -> None:
    """Also of an algorithm that only clients have."""
    signer = worker.parts.signer
    before = {name: signer.key_for(name) for name in ("ES256", "RS256")}
    parts = worker.parts
    store = open_signing_keys(parts.settings, parts.connection, parts.installation, parts.clock)
    await store.rotate(new_key("ES256", int(parts.clock()) + 1))
    await until(
        lambda: all(
            (now := signer.key_for(name)) and old and now.key_id != old.key_id
            for name, old in before.items()
        )
    )
    tokens = await tokens_of(worker, people, "rs256")
    assert header_of(tokens["access_token"])["alg"] == "RS256"
