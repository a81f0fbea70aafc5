"""Metadata and keys (RFC 8414, OpenID Connect Discovery, RFC 7517)."""

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from deviceflow.core.messages import DEVICE_CODE_GRANT

if TYPE_CHECKING:
    from tests.oauth.conftest import Stage, Worker

ISSUER = "http://127.0.0.1:8628"
PATHS = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


async def fetch(worker: "Worker", path: str) -> dict[str, Any]:
    """8414-3.2-a: 200 and application/json."""
    async with worker.client.get(path) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"].startswith("public, max-age=")
        document: dict[str, Any] = await response.json()
        return document


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_published(worker: "Worker", path: str) -> None:
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
    assert "none" not in document["id_token_signing_alg_values_supported"]
    assert [] not in document.values()


async def test_both_documents_say_the_same(worker: "Worker") -> None:
    documents = [await fetch(worker, path) for path in PATHS]
    assert documents[0] == documents[1]


@pytest.mark.parametrize(
    "issuer", ["https://Login.Example.com", "https://example.com:8443", "http://localhost:1"]
)
async def test_the_issuer_is_byte_identical(stage: "Stage", issuer: str) -> None:
    """8414-3.3-a: no other case, no default port taken away; in the tokens too."""
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, issuer=issuer))
    document = await fetch(worker, PATHS[0])
    assert document["issuer"] == issuer
    assert document["token_endpoint"] == f"{issuer}/oauth2/token"


async def test_the_host_of_the_request_is_nothing_to_us(worker: "Worker") -> None:
    """Section 4, host header."""
    headers = {"Host": "evil.example", "X-Forwarded-Proto": "https"}
    async with worker.client.get(PATHS[0], headers=headers) as response:
        assert "evil" not in await response.text()


async def test_the_keys_are_public(worker: "Worker") -> None:
    """OIDCD-3-a: no private member; OIDC-10.1.1-a: every key has a kid."""
    document = await fetch(worker, "/oauth2/jwks")
    assert document["keys"]
    for key in document["keys"]:
        assert not PRIVATE & set(key)
        assert {"kty", "kid", "use", "alg"} <= set(key)


@pytest.mark.parametrize("path", [*PATHS, "/oauth2/jwks"])
async def test_other_methods(worker: "Worker", path: str) -> None:
    assert (await worker.post(path, {})).outcome == (405, "invalid_request")
    async with worker.client.head(path) as response:
        assert response.status == 200
        assert await response.read() == b""
