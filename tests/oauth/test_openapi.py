"""The OpenAPI document on the admin port, and what the metadata says, against what is there."""

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from yarl import URL

from deviceflow.config import Registration
from tests.oauth.proving import ISSUER, with_surface

if TYPE_CHECKING:
    from deviceflow.config import Settings
    from tests.oauth.conftest import Stage, Worker

METADATA = "/.well-known/oauth-authorization-server"


@pytest.fixture
def settings(settings: "Settings") -> "Settings":
    return with_surface(settings)


async def document(worker: "Worker") -> dict[str, Any]:
    async with worker.admin.get("/openapi.json") as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        return dict(await response.json())


async def test_every_route_and_no_other(worker: "Worker") -> None:
    described = await document(worker)
    assert described["openapi"].startswith("3.1")
    assert described["servers"] == [{"url": ISSUER}]
    paths = described["paths"]
    assert {"/oauth2/register", "/oauth2/register/{client_id}"} < paths.keys()
    app = worker.client.server.app  # type: ignore[attr-defined]
    routed = {
        (route.resource.canonical, route.method.lower())
        for route in app.router.routes()
        if route.resource is not None
        and route.resource.canonical.startswith(("/oauth2/", "/.well-known/"))
        and route.method != "HEAD"
    }
    told = {(path, method) for path, item in paths.items() for method in item if len(method) < 7}
    assert told == routed


async def test_every_reference_is_there(worker: "Worker") -> None:
    described = await document(worker)
    schemas = described["components"]["schemas"]
    references: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            references.extend(value for key, value in node.items() if key == "$ref")
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(described)
    assert references
    assert {name.rpartition("/")[2] for name in references} <= schemas.keys()


async def test_not_on_the_public_port(worker: "Worker") -> None:
    async with worker.client.get("/openapi.json") as response:
        assert response.status == 404


async def test_without_registration(stage: "Stage") -> None:
    off = msgspec.structs.replace(stage.settings, registration=Registration())
    described = await document(await stage.start_worker(off))
    assert not any("register" in path for path in described["paths"])


async def test_the_metadata_is_true(worker: "Worker") -> None:
    """8414-2-a, 8414-2-c, 8628-4-a: every endpoint answers, and every list says what counts."""
    async with worker.client.get(METADATA) as response:
        metadata = await response.json()
    for name, value in metadata.items():
        if name.endswith(("_endpoint", "_uri")):
            async with worker.client.request("PATCH", URL(value).path) as response:
                assert response.status == 405, name
    methods = {
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "tls_client_auth",
    }
    assert set(metadata["token_endpoint_auth_methods_supported"]) == methods
    assert set(metadata["revocation_endpoint_auth_methods_supported"]) == methods
    asking = metadata["introspection_endpoint_auth_methods_supported"]
    assert set(asking) == {"client_secret_post", "private_key_jwt"}
    for name in ("token", "revocation", "introspection"):
        algorithms = metadata[f"{name}_endpoint_auth_signing_alg_values_supported"]
        assert "ES256" in algorithms
        assert not {"none", "HS256"} & set(algorithms)
    assert "none" not in metadata["dpop_signing_alg_values_supported"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["introspection_signing_alg_values_supported"] == ["ES256"]
    assert not any(value == [] for value in metadata.values())


async def test_methods_that_a_registered_client_may_choose(stage: "Stage") -> None:
    """8414-2-a: though no client uses them yet."""
    alone = msgspec.structs.replace(stage.settings, clients=stage.settings.clients[:1])
    worker = await stage.start_worker(alone)
    async with worker.client.get(METADATA) as response:
        methods = (await response.json())["token_endpoint_auth_methods_supported"]
    assert set(methods) == {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
