"""The OpenAPI document of the operators' API against what is there."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from deviceflow.admin.api import messages
from deviceflow.admin.api.document import admin_document
from deviceflow.admin.api.problems import PROBLEM_KINDS
from deviceflow.admin.routes import API, MAX_BODY_BYTES
from tests.stage.admin import Operator
from tests.stage.oauth import Worker

METHODS = {"get", "post", "put", "patch", "delete"}
NAMES = {
    f"{name}Response": name for name in ("Grant", "Client", "Fleet", "Person", "Device", "Decision")
}
"""Messages whose schema has another name."""

BASES = {messages.Request, messages.ApiMessage}
MESSAGES = [
    message
    for message in vars(messages).values()
    if isinstance(message, type) and issubclass(message, msgspec.Struct) and message not in BASES
]
Schema = dict[str, Any]


@pytest.fixture
def described() -> dict[str, Any]:
    return admin_document(API)


def walk(node: object) -> Iterator[dict[str, Any]]:
    """All objects in a document."""
    if isinstance(node, dict):
        yield node
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for value in values:
        yield from walk(value)


def operations(described: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (path, method): item[method]
        for path, item in described["paths"].items()
        for method in item.keys() & METHODS
    }


async def test_it_is_published_without_a_token(worker: Worker, described: dict[str, Any]) -> None:
    answer = await Operator(worker, None).get("/openapi.json")
    assert (answer.status, answer.body) == (200, described)
    assert described["servers"] == [{"url": API}]


async def test_every_route_and_no_other(worker: Worker, described: dict[str, Any]) -> None:
    app: web.Application = worker.admin.server.app  # type: ignore[attr-defined]
    routed = {
        (route.resource.canonical.removeprefix(API), route.method.lower())
        for route in app.router.routes()
        if route.resource is not None
        and route.resource.canonical.startswith(API)
        and route.method != "HEAD"
    }
    assert operations(described).keys() == routed - {("/openapi.json", "get")}


def test_every_reference_is_there(described: dict[str, Any]) -> None:
    references = {node["$ref"] for node in walk(described) if "$ref" in node}
    components = {
        f"#/components/{kind}/{name}"
        for kind, named in described["components"].items()
        for name in named
        if kind != "securitySchemes"
    }
    assert references == components
    names = [operation["operationId"] for operation in operations(described).values()]
    links = {
        link["operationId"] for node in walk(described) for link in node.get("links", {}).values()
    }
    assert len({*names}) == len(names)
    assert links <= {*names}
    assert all(each["security"] == [{"bearer": []}] for each in operations(described).values())


def test_every_problem_is_described(described: dict[str, Any]) -> None:
    """But what is no answer of an endpoint: a wrong address, a mistake of the server."""
    errors = {
        error
        for node in walk(described["components"]["responses"])
        if isinstance(node.get("error"), dict)
        for error in node["error"].get("enum", ())
    }
    nowhere = {"api_off", "method_not_allowed", "expectation_failed", "server_error"}
    assert errors == PROBLEM_KINDS.keys() - nowhere
    for name, response in described["components"]["responses"].items():
        statuses = {
            status
            for operation in operations(described).values()
            for status, answer in operation["responses"].items()
            if answer.get("$ref", "").endswith(f"/{name}")
        }
        schema = response["content"]["application/problem+json"]["schema"]["allOf"][1]
        told = {str(PROBLEM_KINDS[error].status) for error in schema["properties"]["error"]["enum"]}
        assert statuses == told, name


def kinds(schema: Schema, schemas: Schema) -> set[str]:
    """The JSON types that `schema` allows."""
    if "$ref" in schema:
        return kinds(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return {kind for part in schema["anyOf"] for kind in kinds(part, schemas)}
    if "enum" in schema and "type" not in schema:
        return {"string"}
    kind = schema.get("type", [])
    return {kind} if isinstance(kind, str) else {*kind}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_a_message_is_its_type(described: dict[str, Any], message: type[msgspec.Struct]) -> None:
    """The same members of the same types; what an answer does not have is left out, not null."""
    schemas = described["components"]["schemas"]
    _, made = msgspec.json.schema_components(MESSAGES, ref_template="{name}")
    schema = schemas[NAMES.get(message.__name__, message.__name__)]
    of_type = made[message.__name__]
    is_request = issubclass(message, messages.Request)
    assert schema["properties"].keys() == of_type["properties"].keys()
    assert {*schema.get("required", ())} == {*of_type["required"]}
    assert schema.get("additionalProperties") == of_type.get("additionalProperties")
    for name, member in of_type["properties"].items():
        allowed = kinds(member, made) - (set() if is_request else {"null"})
        assert kinds(schema["properties"][name], schemas) == allowed, name


def test_constants_are_those_of_the_code(described: dict[str, Any]) -> None:
    assert f"{MAX_BODY_BYTES:,}" in described["components"]["responses"]["TooLarge"]["description"]
    assert f"{MAX_BODY_BYTES:,}" in PROBLEM_KINDS["too_large"].detail
