"""Pages of other origins, which televisions run, use the endpoints for devices by `fetch`."""

import msgspec
import pytest

from deviceflow.config import Registration
from deviceflow.core.cross_origin import EXPOSED
from tests.stage.oauth import AUTHORIZE, TOKEN, Stage, Worker

TV = "https://tv.example.com"
POSTED = [AUTHORIZE, TOKEN, "/oauth2/revoke", "/oauth2/register"]
READ = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
    "/oauth2/jwks",
    "/oauth2/userinfo",
]
CLOSED = ["/device", "/login", "/", "/static/style.css", "/oauth2/introspect", "/oauth2/authorize"]


async def started(stage: Stage, *origins: str, path: str = "") -> Worker:
    settings = msgspec.structs.replace(
        stage.settings,
        issuer=f"{stage.settings.issuer}{path}",
        server=msgspec.structs.replace(stage.settings.server, cors_origins=origins),
        registration=Registration(enabled=True, initial_access_token_sha256=("0" * 64,)),
    )
    return await stage.start_worker(settings)


async def headers_of(worker: Worker, method: str, path: str, **headers: str) -> dict[str, str]:
    """The headers of an answer that are about origins, and the status."""
    async with worker.client.request(
        method, path, headers=headers, allow_redirects=False
    ) as answer:
        found = {
            name: value
            for name, value in answer.headers.items()
            if name.startswith("Access-Control-") or name == "Vary"
        }
        return found | {"status": str(answer.status)}


def preflight(method: str, origin: str = TV) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,dpop,prefer",
    }


@pytest.mark.parametrize("path", [*POSTED, *READ])
async def test_every_answer_may_be_read(stage: Stage, path: str) -> None:
    """Errors too, also for a method that the endpoint does not have."""
    worker = await started(stage, "*")
    for method in ("GET", "POST", "PUT"):
        for sent in ({"Origin": TV}, {}):
            told = await headers_of(worker, method, path, **sent)
            assert told["Access-Control-Allow-Origin"] == "*", (method, told)
            assert told["Access-Control-Expose-Headers"] == EXPOSED
            assert "Access-Control-Allow-Credentials" not in told


@pytest.mark.parametrize("path", [*POSTED, *READ, "/oauth2/register/client_1"])
async def test_a_preflight_is_answered(stage: Stage, path: str) -> None:
    worker = await started(stage, "*")
    told = await headers_of(worker, "OPTIONS", path, **preflight("POST"))
    assert told["status"] == "204"
    assert told["Access-Control-Allow-Origin"] == "*"
    methods = told["Access-Control-Allow-Methods"].split(", ")
    expected = {
        "/oauth2/userinfo": ["GET", "POST"],
        "/oauth2/register/client_1": ["DELETE", "GET", "PUT"],
    }
    usual = ["POST"] if path in POSTED else ["GET"]
    assert methods == expected.get(path, usual)
    allowed = told["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "dpop", "prefer"} == {*allowed}
    assert int(told["Access-Control-Max-Age"]) > 600


@pytest.mark.parametrize("path", CLOSED)
async def test_no_other_site_reads_the_rest(stage: Stage, path: str) -> None:
    worker = await started(stage, "*")
    for method, headers in (("GET", {"Origin": TV}), ("OPTIONS", preflight("POST"))):
        told = await headers_of(worker, method, path, **headers)
        assert not [name for name in told if name.startswith("Access-Control-")]
        assert told["status"] != "204"


async def test_options_that_are_no_preflight(stage: Stage) -> None:
    worker = await started(stage, "*")
    for headers in ({}, {"Origin": TV}, {"Access-Control-Request-Method": "POST"}):
        assert (await headers_of(worker, "OPTIONS", TOKEN, **headers))["status"] == "405"
    nowhere = await headers_of(worker, "OPTIONS", "/oauth2/nowhere", **preflight("POST"))
    assert nowhere == {"status": "404"}


async def test_a_list_of_origins(stage: Stage) -> None:
    worker = await started(stage, TV)
    told = await headers_of(worker, "POST", TOKEN, Origin=TV)
    assert (told["Access-Control-Allow-Origin"], told["Vary"]) == (TV, "Origin")
    allowed = await headers_of(worker, "OPTIONS", TOKEN, **preflight("POST"))
    assert (allowed["status"], allowed["Access-Control-Allow-Origin"]) == ("204", TV)
    for headers in ({"Origin": "https://other.example"}, {}):
        told = await headers_of(worker, "POST", TOKEN, **headers)
        assert told == {"Vary": "Origin", "status": "400"}
    refused = preflight("POST", "https://other.example")
    told = await headers_of(worker, "OPTIONS", TOKEN, **refused)
    assert told == {"Vary": "Origin", "status": "405"}


async def test_no_origins(stage: Stage) -> None:
    worker = await started(stage)
    assert await headers_of(worker, "POST", TOKEN, Origin=TV) == {"status": "400"}
    assert await headers_of(worker, "OPTIONS", TOKEN, **preflight("POST")) == {"status": "405"}


async def test_an_issuer_with_a_path(stage: Stage) -> None:
    worker = await started(stage, "*", path="/tenant")
    for path in [*READ, *POSTED]:
        told = await headers_of(worker, "GET", "/tenant" + path)
        assert told["Access-Control-Allow-Origin"] == "*", path
    for path in READ[:2]:
        told = await headers_of(worker, "GET", path + "/tenant")
        assert told["Access-Control-Allow-Origin"] == "*", path
    assert await headers_of(worker, "GET", TOKEN) == {"status": "404"}
