"""Metadata and keys (RFC 8414, OpenID Connect Discovery, RFC 7517)."""

from typing import Any
from unittest import mock

import msgspec
import pytest

from deviceflow.config import Registration
from deviceflow.core.client import Client
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.oauth import metadata
from tests.stage.oauth import Stage, Worker
from tests.stage.proving import with_certificates

ISSUER = "http://127.0.0.1:8628"
PATHS = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]
JWKS = "/oauth2/jwks"
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


async def fetch(worker: Worker, path: str) -> dict[str, Any]:
    """8414-3.2-a: 200 and application/json."""
    async with worker.client.get(path) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        kept = "no-cache" if path == JWKS else "public, max-age=300"
        assert response.headers["Cache-Control"] == kept
        document: dict[str, Any] = await response.json()
        return document


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_published(worker: Worker, path: str) -> None:
    """8628-4-a, 8414-2-a, 8414-2-b, 8414-3.3-a, OIDCD-4-a, 9700-2.6-a."""
    document = await fetch(worker, path)
    assert document["issuer"] == ISSUER
    assert document["device_authorization_endpoint"] == f"{ISSUER}/oauth2/device_authorization"
    assert document["token_endpoint"] == f"{ISSUER}/oauth2/token"
    assert document["jwks_uri"] == f"{ISSUER}/oauth2/jwks"
    assert set(document["grant_types_supported"]) == {DEVICE_CODE_GRANT, "refresh_token"}
    assert document["response_types_supported"]
    assert document["subject_types_supported"] == ["public"]
    assert set(document["token_endpoint_auth_methods_supported"]) == {
        "none",
        "client_secret_basic",
        "client_secret_post",
    }
    assert set(document["scopes_supported"]) == {"openid", "profile", "email", "offline_access"}
    assert {"ar", "en", "zh-Hans"} <= set(document["ui_locales_supported"])
    assert "none" not in document["id_token_signing_alg_values_supported"]
    assert [] not in document.values()


async def test_both_documents_say_the_same(worker: Worker) -> None:
    """OIDCD-3-a: but for the authorization endpoint, which only OpenID Connect requires."""
    documents = [await fetch(worker, path) for path in PATHS]
    assert documents[1].pop("authorization_endpoint") == f"{ISSUER}/oauth2/authorize"
    assert documents[0] == documents[1]


async def test_the_keys_are_also_where_verifiers_look(worker: Worker) -> None:
    document = await fetch(worker, JWKS)
    async with worker.client.get("/.well-known/jwks.json") as response:
        assert (response.status, await response.json()) == (200, document)
        assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", PATHS)
async def test_an_issuer_with_a_path_has_each_document_below_and_beside_it(
    stage: Stage, name: str
) -> None:
    """8414-3-a, OIDCD-4-a: libraries append either name to the issuer, or insert it."""
    settings = msgspec.structs.replace(stage.settings, issuer=f"{ISSUER}/tenant")
    worker = await stage.start_worker(settings)
    below, beside = [await fetch(worker, path) for path in (f"/tenant{name}", f"{name}/tenant")]
    assert below == beside
    assert below["issuer"] == f"{ISSUER}/tenant"


@pytest.mark.parametrize(
    "issuer", ["https://Login.Example.com", "https://example.com:8443", "http://localhost:1"]
)
async def test_the_issuer_is_byte_identical(stage: Stage, issuer: str) -> None:
    """8414-3.3-a: the issuer is not normalised, also not in tokens."""
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, issuer=issuer))
    document = await fetch(worker, PATHS[0])
    assert document["issuer"] == issuer
    assert document["token_endpoint"] == f"{issuer}/oauth2/token"


async def test_the_host_of_the_request_is_nothing_to_us(worker: Worker) -> None:
    """A Host header does not change the metadata."""
    headers = {"Host": "evil.example", "X-Forwarded-Proto": "https"}
    async with worker.client.get(PATHS[0], headers=headers) as response:
        assert "evil" not in await response.text()


async def test_the_keys_are_public(worker: Worker) -> None:
    """OIDCD-3-a: no private member; OIDC-10.1.1-a: every key has a kid.

    A cache has to ask again, for a new key signs at once.
    """
    document = await fetch(worker, JWKS)
    assert document["keys"]
    for key in document["keys"]:
        assert not PRIVATE & set(key)
        assert {"kty", "kid", "use", "alg"} <= set(key)


async def test_nothing_is_empty(stage: Stage) -> None:
    """8414-3.2-a: a member without elements is left out."""
    none = msgspec.structs.replace(stage.settings, clients=())
    document = await fetch(await stage.start_worker(none), PATHS[0])
    assert "scopes_supported" not in document
    assert [] not in document.values()
    assert document["token_endpoint_auth_methods_supported"] == ["none"]


async def test_what_a_registered_client_may_have(stage: Stage) -> None:
    """8414-2-a: also scopes that no client has yet."""
    registration = Registration(enabled=True, scopes=("openid", "later"))
    settings = msgspec.structs.replace(
        stage.settings, clients=stage.settings.clients[1:2], registration=registration
    )
    document = await fetch(await stage.start_worker(settings), PATHS[1])
    assert document["scopes_supported"] == ["openid", "profile", "later"]
    assert document["id_token_signing_alg_values_supported"] == ["ES256", "RS256"]
    off = msgspec.structs.replace(registration, enabled=False)
    settings = msgspec.structs.replace(settings, registration=off)
    document = await fetch(await stage.start_worker(settings), PATHS[1])
    assert document["scopes_supported"] == ["openid", "profile"]
    assert document["id_token_signing_alg_values_supported"] == ["ES256"]


async def test_what_nobody_can_have(stage: Stage) -> None:
    """8414-2-a: the scopes and methods of disabled clients are left out, and unusable methods."""
    tv = stage.settings.clients[0]
    disabled = msgspec.structs.replace(
        tv,
        client_id="disabled",
        enabled=False,
        scopes=("secret-plan",),
        auth_method="private_key_jwt",
        introspect=True,
    )
    meter = msgspec.structs.replace(
        disabled,
        client_id="meter",
        enabled=True,
        scopes=("meter",),
        auth_method="tls_client_auth",
        tls_client_auth_subject_dn="CN=meter",
    )
    settings = msgspec.structs.replace(stage.settings, clients=(tv, disabled, meter))
    document = await fetch(await stage.start_worker(settings), PATHS[0])
    assert document["scopes_supported"] == [*tv.scopes]
    assert document["token_endpoint_auth_methods_supported"] == ["none"]
    assert "introspection_endpoint_auth_methods_supported" not in document

    worker = await stage.start_worker(with_certificates(settings))
    document = await fetch(worker, PATHS[0])
    assert document["scopes_supported"] == [*tv.scopes, "meter"]
    assert document["token_endpoint_auth_methods_supported"] == ["none", "tls_client_auth"]
    assert document["introspection_endpoint_auth_methods_supported"] == ["tls_client_auth"]


@pytest.mark.parametrize("path", [*PATHS, JWKS])
async def test_other_methods(worker: Worker, path: str) -> None:
    assert (await worker.post(path, {})).outcome == (405, "invalid_request")
    async with worker.client.head(path) as response:
        assert response.status == 200
        assert await response.read() == b""


async def test_it_is_made_once_for_many_readers_and_registrations(worker: Worker) -> None:
    """An anonymous reader must not cost more with each client; nor must a registration."""
    clients = worker.parts.clients
    like_others = Client(client_id="like-others", name="L", scopes=("openid",))
    unlike = Client(client_id="unlike", name="U", scopes=("new",), auth_method="private_key_jwt")
    made = mock.Mock(wraps=metadata.server_metadata)
    with mock.patch.object(metadata, "server_metadata", made):
        for path in PATHS * 2:
            await fetch(worker, path)
        clients.adopt_one("like-others", like_others)
        await fetch(worker, PATHS[0])
        assert made.call_count == 1
        clients.adopt_one("unlike", unlike)
        document = await fetch(worker, PATHS[0])
        assert "new" in document["scopes_supported"]
        assert "private_key_jwt" in document["token_endpoint_auth_methods_supported"]
        assert made.call_count == 2
        renamed = msgspec.structs.replace(unlike, name="V")
        for after in (renamed, unlike):
            clients.adopt_one("unlike", after)
            await fetch(worker, PATHS[0])
        clients.adopt_one("like-others", None)
        await fetch(worker, PATHS[0])
        assert made.call_count == 2
        clients.adopt_one("unlike", None)
        assert "new" not in (await fetch(worker, PATHS[1]))["scopes_supported"]
        clients.adopt([])
        await fetch(worker, PATHS[1])
        assert made.call_count == 4
