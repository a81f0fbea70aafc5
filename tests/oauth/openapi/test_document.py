"""The OpenAPI document on the admin port, and what the metadata says, against what is there."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from yarl import URL

from deviceflow import oauth
from deviceflow.config import Registration, Settings
from deviceflow.core import assertion, errors, grant, messages, pkce
from deviceflow.core.base64url import DIGEST_PATTERN
from deviceflow.core.client_methods import REGISTERED_METHODS
from deviceflow.core.errors import ERROR_CODES
from deviceflow.core.form import MAX_FIELDS
from deviceflow.core.grant import PollAnswer
from deviceflow.core.messages import GRANT_TYPES, RegistrationRequest
from deviceflow.oauth.introspection import SIGNED
from deviceflow.oauth.metadata import ASKED_AGAIN, KEPT
from tests.stage.oauth import Stage, Worker
from tests.stage.proving import ISSUER, with_certificates, with_surface

METADATA = "/.well-known/oauth-authorization-server"
METHODS = {"get", "post", "put", "patch", "delete", "options"}
MESSAGES = [
    message
    for message in vars(messages).values()
    if isinstance(message, type) and issubclass(message, msgspec.Struct)
]
Schema = dict[str, Any]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_certificates(with_surface(settings))


async def document(worker: Worker) -> dict[str, Any]:
    async with worker.admin.get("/openapi.json") as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        return dict(await response.json())


def told(described: dict[str, Any]) -> set[tuple[str, str]]:
    """Path, as the server sees it, and method of all operations."""
    return {
        (URL(item.get("servers", described["servers"])[0]["url"]).path.rstrip("/") + path, method)
        for path, item in described["paths"].items()
        for method in item.keys() & METHODS
    }


def routed(worker: Worker) -> set[tuple[str, str]]:
    app = worker.client.server.app  # type: ignore[attr-defined]
    return {
        (route.resource.canonical, route.method.lower())
        for route in app.router.routes()
        if route.resource is not None
        and any(part in route.resource.canonical for part in ("/oauth2/", "/.well-known/"))
        and route.method != "HEAD"
    }


async def test_every_route_and_no_other(worker: Worker) -> None:
    described = await document(worker)
    assert described["openapi"].startswith("3.1")
    assert described["servers"] == [{"url": ISSUER}]
    assert {"/oauth2/register", "/oauth2/register/{client_id}"} < described["paths"].keys()
    assert told(described) == routed(worker)


async def test_an_issuer_with_a_path(stage: Stage) -> None:
    """8414-3-a: one of the documents is beside the issuer's path, all else is below it."""
    issuer = f"{ISSUER}/tenant/a"
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, issuer=issuer))
    described = await document(worker)
    assert described["servers"] == [{"url": issuer}]
    assert ("/.well-known/oauth-authorization-server/tenant/a", "get") in told(described)
    assert told(described) == routed(worker)


def walk(node: object) -> Iterator[dict[str, Any]]:
    """All objects in a document."""
    if isinstance(node, dict):
        yield node
    for value in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from walk(value)


async def test_every_reference_is_there(worker: Worker) -> None:
    described = await document(worker)
    references = {node["$ref"] for node in walk(described) if "$ref" in node}
    components = {
        f"#/components/{kind}/{name}"
        for kind, named in described["components"].items()
        for name in named
    }
    assert {f"#/components/{kind}/" for kind in ("schemas", "headers", "responses")} <= {
        reference.rpartition("/")[0] + "/" for reference in references
    }
    assert references <= components
    operations = [node for node in walk(described["paths"]) if "responses" in node]
    named = [node for node in walk(described["paths"]) if "operationId" in node]
    ids = {operation["operationId"] for operation in operations}
    assert len(ids) == len(operations)
    assert {node["operationId"] for node in named} == ids, "a link leads nowhere"
    schemes = {name for each in operations for way in each["security"] for name in way}
    assert schemes == described["components"]["securitySchemes"].keys()


async def test_every_error_code_is_told(worker: Worker) -> None:
    """6749-5.2-b: and none that no endpoint has."""
    described = await document(worker)
    codes = {
        code
        for node in walk(described)
        if isinstance(node.get("error"), dict)
        for code in node["error"].get("enum", ())
    }
    assert codes == ERROR_CODES - {"server_error"}
    assert set(PollAnswer) <= ERROR_CODES


def test_every_error_code_is_used() -> None:
    """Beside the list of all codes, each one stands where an error is made."""
    files = [Path(errors.__file__), Path(grant.__file__)]
    files += Path(oauth.__file__).parent.rglob("*.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    texts = Counter(str(node.value) for node in nodes if isinstance(node, ast.Constant))
    assert {code for code in ERROR_CODES if texts[code] < 2} == set()


def kinds(schema: Schema, schemas: Schema) -> set[str]:
    """The JSON types that `schema` allows."""
    if "$ref" in schema:
        return kinds(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return {kind for part in schema["anyOf"] for kind in kinds(part, schemas)}
    if "enum" in schema and "type" not in schema:
        assert all(isinstance(value, str) for value in schema["enum"])
        return {"string"}
    kind = schema.get("type", [])
    return {kind} if isinstance(kind, str) else {*kind}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
async def test_a_message_is_its_type(worker: Worker, message: type[msgspec.Struct]) -> None:
    """The same members of the same types; what an answer does not have is left out, not null."""
    schemas = (await document(worker))["components"]["schemas"]
    _, made = msgspec.json.schema_components(MESSAGES, ref_template="{name}")
    schema, of_type = schemas[message.__name__], made[message.__name__]
    assert schema["properties"].keys() == of_type["properties"].keys()
    assert {*schema.get("required", ())} == {*of_type["required"]}
    assert schema.get("additionalProperties") == of_type.get("additionalProperties")
    for name, member in of_type["properties"].items():
        allowed = kinds(member, made) - (set() if message is RegistrationRequest else {"null"})
        assert not allowed or kinds(schema["properties"][name], schemas) == allowed, name
        choices = [part["enum"] for part in walk(member) if "enum" in part]
        assert not choices or schema["properties"][name]["enum"] == choices[0], name


async def test_constants_are_those_of_the_code(worker: Worker) -> None:
    described = await document(worker)
    components = described["components"]
    schemas, headers = components["schemas"], components["headers"]
    forms = {name: schema for name, schema in schemas.items() if "maxProperties" in schema}
    assert {schema["maxProperties"] for schema in forms.values()} == {MAX_FIELDS}
    challenge = schemas["DeviceAuthorizationRequest"]["properties"]
    assert challenge["code_challenge_method"]["enum"] == [pkce.METHOD]
    digest = {challenge["code_challenge"]["pattern"], challenge["dpop_jkt"]["pattern"]}
    assert digest == {f"^{DIGEST_PATTERN}$"}
    assert schemas["ClientAssertionType"]["examples"] == [assertion.TYPE]
    mapping = {
        schemas[name]["properties"]["grant_type"]["const"]: f"#/components/schemas/{name}"
        for name in ("DeviceCodeRequest", "RefreshTokenRequest")
    }
    assert mapping.keys() == {*GRANT_TYPES}
    (discriminator,) = [each for each in walk(described) if "propertyName" in each]
    assert discriminator == {"propertyName": "grant_type", "mapping": mapping}
    registration = schemas["RegistrationResponse"]["properties"]
    assert registration["grant_types"]["items"]["enum"] == [*GRANT_TYPES]
    assert registration["token_endpoint_auth_method"]["enum"] == [*REGISTERED_METHODS]
    assert headers["PublicForAWhile"]["schema"]["const"] == KEPT
    assert headers["AlwaysRevalidated"]["schema"]["const"] == ASKED_AGAIN
    introspected = described["paths"]["/oauth2/introspect"]["post"]["responses"]["200"]
    assert introspected["content"].keys() == {"application/json", SIGNED}


async def test_answers_have_no_null(worker: Worker) -> None:
    """What is not there is left out; of a request null is taken."""
    schemas = (await document(worker))["components"]["schemas"]
    nullable = {
        name
        for name, schema in schemas.items()
        if any(node.get("type") == "null" for node in walk(schema))
    }
    assert nullable == {"RegistrationRequest"}


async def test_the_offered_scopes(stage: Stage) -> None:
    """Any scope can be offered, whatever its characters mean in a pattern."""
    scopes = ("openid", "https://x.example/a.b", "a+b", "read-only", "[x]", "$x^", "{y|z}", "(?")
    offered = msgspec.structs.replace(stage.settings.registration, scopes=scopes)
    changed = msgspec.structs.replace(stage.settings, registration=offered)
    schemas = (await document(await stage.start_worker(changed)))["components"]["schemas"]
    pattern = schemas["RegistrationRequest"]["properties"]["scope"]["pattern"]
    for good in ("", *scopes, " ".join(scopes)):
        assert re.fullmatch(pattern, good), good
    for bad in ("https://x.example/aXb", "aab", "y", "openid  a+b", " openid", "no"):
        assert not re.fullmatch(pattern, bad), bad
    # Outside of a class, "\\-" is an error to ECMA-262.
    assert "\\-" not in pattern


async def test_not_on_the_public_port(worker: Worker) -> None:
    async with worker.client.get("/openapi.json") as response:
        assert response.status == 404


async def test_without_certificates(stage: Stage) -> None:
    server = msgspec.structs.replace(stage.settings.server, client_certificate_header=None)
    off = msgspec.structs.replace(stage.settings, server=server)
    assert "tls_client_auth" not in str(await document(await stage.start_worker(off)))
    assert "tls_client_auth" in str(await document(await stage.start_worker()))


async def test_without_registration(stage: Stage) -> None:
    off = msgspec.structs.replace(stage.settings, registration=Registration())
    described = await document(await stage.start_worker(off))
    assert "register" not in " ".join(described["paths"]).lower()
    assert "regist" not in str(list(described["components"]["schemas"])).lower()
    assert not any("registration" in name for name in described["components"]["securitySchemes"])


async def test_the_metadata_is_true(worker: Worker) -> None:
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


async def test_methods_that_a_registered_client_may_choose(stage: Stage) -> None:
    """8414-2-a: though no client uses them yet."""
    alone = msgspec.structs.replace(stage.settings, clients=stage.settings.clients[:1])
    worker = await stage.start_worker(alone)
    async with worker.client.get(METADATA) as response:
        methods = (await response.json())["token_endpoint_auth_methods_supported"]
    assert set(methods) == {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
