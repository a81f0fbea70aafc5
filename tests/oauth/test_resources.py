"""Access tokens for the APIs that the device names (RFC 8707, RFC 9068 3)."""

from typing import Any

import msgspec
import pytest

from deviceflow.config import Settings
from deviceflow.core import claims
from deviceflow.core.claims import Validity
from deviceflow.core.client import Client
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.core.resources import ProtectedResource
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.connection import Connection
from tests.stage.oauth import Answer, People, Stage, Worker
from tests.stage.proving import (
    API,
    AUTHORIZE,
    FILES,
    INACTIVE,
    ISSUER,
    TOKEN,
    claims_of,
    introspect,
    tokens,
    userinfo,
    with_surface,
)

INVALID_TARGET = (400, "invalid_target")
INVALID_SCOPE = (400, "invalid_scope")
RESOURCES = (
    ProtectedResource(resource=API, scopes=("print", "print:status")),
    ProtectedResource(resource=FILES, scopes=("files",)),
)
PRINTER = Client(
    client_id="printer",
    name="Prints files",
    scopes=("openid", "profile", "offline_access", "print", "print:status", "files"),
    resources=(API, FILES),
)
CLIENTS = (
    PRINTER,
    msgspec.structs.replace(PRINTER, client_id="opaque-printer", token_format="opaque"),
    Client(
        client_id="one-api",
        name="Of one API",
        scopes=("openid", "profile", "print"),
        audience=API,
    ),
    Client(
        client_id="bill",
        name="Prints bills",
        scopes=("print", "pay", "offline_access"),
        resources=(API,),
        audience="https://billing.example.com",
    ),
)
BOTH_FORMATS = pytest.mark.parametrize("client_id", ["printer", "opaque-printer"])


@pytest.fixture
def settings(settings: Settings) -> Settings:
    settings = with_surface(settings)
    clients = (*settings.clients, *CLIENTS)
    return msgspec.structs.replace(settings, clients=clients, resources=RESOURCES)


async def ask(worker: Worker, scope: str, resources: str, client_id: str = "printer") -> Answer:
    """Send a device authorization request. Both arguments are separated by spaces."""
    named = [("resource", name) for name in resources.split()]
    asked = [("scope", scope)] if scope else []
    return await worker.post(AUTHORIZE, [("client_id", client_id), *asked, *named])


async def first_tokens(
    worker: Worker,
    people: People,
    scope: str,
    resources: str = "",
    client_id: str = "printer",
    **narrowed: str,
) -> dict[str, Any]:
    """Return the first tokens of a grant. `narrowed`: the `resource` of the token request."""
    grant = await ask(worker, scope, resources, client_id)
    assert grant.status == 200, grant.body
    await people.approve(grant.body["user_code"])
    answer = await worker.poll(grant.body["device_code"], client_id, **narrowed)
    assert answer.status == 200, answer.body
    return answer.body


async def test_one_audience_each(worker: Worker, people: People) -> None:
    """8707-2-b, 9068-3-a, 9068-5-a, 9700-2.3-a."""
    for resource in (API, FILES):
        body = await tokens(worker, people, "apis", resource=resource)
        assert claims_of(body["access_token"])["aud"] == resource
    assert claims_of((await tokens(worker, people, "apis"))["access_token"])["aud"] == ISSUER


async def test_two_resources_and_then_one(worker: Worker, people: People) -> None:
    """8707-2.2-a: narrowed at the token endpoint; the refresh token keeps the whole grant."""
    form = [("client_id", "apis"), ("resource", API), ("resource", FILES)]
    grant = await worker.post(AUTHORIZE, form)
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    first = await worker.poll(code, "apis", resource=FILES)
    assert claims_of(first.body["access_token"])["aud"] == FILES
    both = await worker.refresh(first.body["refresh_token"], "apis")
    assert claims_of(both.body["access_token"])["aud"] == [API, FILES]
    one = await worker.refresh(both.body["refresh_token"], "apis", resource=API)
    assert claims_of(one.body["access_token"])["aud"] == API


@pytest.mark.parametrize(
    "resource",
    ["api", "/api", f"{API}#x", f"{API}/", "https://else.example", f"{API} {FILES}", " ", "é"],
)
async def test_refused(worker: Worker, resource: str) -> None:
    """8707-2-a; the answer does not repeat the value (6749-5.2-c)."""
    answer = await worker.authorize("apis", resource=resource)
    assert answer.outcome == INVALID_TARGET
    assert resource.strip() == "" or resource not in str(answer.body)
    named = [("client_id", "apis"), ("resource", API), ("resource", resource)]
    assert (await worker.post(AUTHORIZE, named)).outcome == INVALID_TARGET


async def test_audience_names_a_resource(worker: Worker, people: People) -> None:
    """Libraries for Auth0 send `audience`; it counts as `resource` if there is none."""
    grant = await worker.authorize("apis", audience=API, scope="profile offline_access")
    await people.approve(grant.body["user_code"])
    tokens = await worker.poll(grant.body["device_code"], "apis")
    assert claims_of(tokens.body["access_token"])["aud"] == API


@pytest.mark.parametrize("audience", ["api", f"{API}#x", "https://else.example", " ", "é"])
async def test_another_audience_is_ignored(worker: Worker, people: People, audience: str) -> None:
    grant = await worker.authorize("apis", audience=audience, scope="profile")
    await people.approve(grant.body["user_code"])
    tokens = await worker.poll(grant.body["device_code"], "apis", audience=audience)
    assert claims_of(tokens.body["access_token"])["aud"] == ISSUER


async def test_resource_outranks_audience(worker: Worker, people: People) -> None:
    grant = await worker.authorize("apis", resource=API, audience=FILES, scope="profile")
    await people.approve(grant.body["user_code"])
    tokens = await worker.poll(grant.body["device_code"], "apis")
    assert claims_of(tokens.body["access_token"])["aud"] == API


async def test_another_client_may_not(worker: Worker) -> None:
    """8707-2-a: each client has its own list."""
    assert (await worker.authorize("tv-app", resource=API)).outcome == INVALID_TARGET


async def test_wider_than_granted(worker: Worker, people: People) -> None:
    """8707-2.2-a: refused, but the approval and the refresh token are not used up."""
    grant = await worker.authorize("apis", resource=API)
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    assert (await worker.poll(code, "apis", resource=FILES)).outcome == INVALID_TARGET
    form = [("client_id", "apis"), ("grant_type", DEVICE_CODE_GRANT), ("device_code", code)]
    two = [*form, ("resource", API), ("resource", FILES)]
    assert (await worker.post(TOKEN, two)).outcome == INVALID_TARGET
    first = await worker.poll(code, "apis", resource=API)
    assert first.status == 200
    token = first.body["refresh_token"]
    assert (await worker.refresh(token, "apis", resource=FILES)).outcome == INVALID_TARGET
    assert (await worker.refresh(token, "apis", resource=API)).status == 200


async def test_no_resource_at_first(worker: Worker, people: People) -> None:
    """8707-2.2-a."""
    grant = await worker.authorize("apis")
    await people.approve(grant.body["user_code"])
    code = grant.body["device_code"]
    assert (await worker.poll(code, "apis", resource=API)).outcome == INVALID_TARGET
    assert (await worker.poll(code, "apis")).status == 200


async def test_who_is_told(worker: Worker, people: People) -> None:
    """7662-2.3-a: only the resource server of the token."""
    token = (await tokens(worker, people, "apis", resource=API))["access_token"]
    assert (await introspect(worker, token, "rs-api"))["active"] is True
    assert await introspect(worker, token, "rs-else") == INACTIVE


async def test_a_resource_that_was_taken_away(stage: Stage, people: People) -> None:
    """8707-2.2-a: like a scope, for a code and for a refresh token."""
    before = await stage.start_worker()
    token = (await tokens(before, people, "apis", resource=API))["refresh_token"]
    grant = await before.authorize("apis", resource=API)
    await people.approve(grant.body["user_code"])
    clients = tuple(
        msgspec.structs.replace(client, resources=(FILES,))
        if client.client_id == "apis"
        else client
        for client in stage.settings.clients
    )
    after = await stage.start_worker(msgspec.structs.replace(stage.settings, clients=clients))
    for answer in (
        await after.refresh(token, "apis"),
        await after.poll(grant.body["device_code"], "apis"),
    ):
        assert answer.outcome == (400, "invalid_grant")
    assert (await before.refresh(token, "apis")).status == 200


# The scopes of each resource


@pytest.mark.parametrize(
    ("scope", "resources", "audience"),
    [
        ("profile", "", ISSUER),
        ("openid profile offline_access", "", ISSUER),
        ("print print:status", "", API),
        ("profile offline_access files", "", FILES),
        ("openid print", "", [API, ISSUER]),
        ("print", API, API),
        ("profile", API, API),
        ("openid", API, [API, ISSUER]),
        ("print files", f"{API} {FILES}", [API, FILES]),
        ("print", f"{API} {ISSUER}", [API, ISSUER]),
        ("openid profile", ISSUER, ISSUER),
    ],
)
async def test_the_audience_of_scopes(
    worker: Worker, people: People, scope: str, resources: str, audience: str | list[str]
) -> None:
    """9068-3-a, 9068-5-a: the named resource, or the resource of the scopes."""
    body = await first_tokens(worker, people, scope, resources)
    assert body["scope"] == scope
    assert claims_of(body["access_token"])["aud"] == audience
    assert claims_of(body["access_token"])["scope"] == scope


@pytest.mark.parametrize(
    ("scope", "resources"),
    [
        ("print files", ""),
        ("openid print offline_access files", ""),
        ("", ""),
        ("print files", API),
        ("files", API),
        ("print", ISSUER),
    ],
)
async def test_scopes_of_other_resources(worker: Worker, scope: str, resources: str) -> None:
    """9068-3-a: scopes of two resources, or of one that was not named; also by default."""
    assert (await ask(worker, scope, resources)).outcome == INVALID_SCOPE


async def test_the_resource_chooses_among_all_scopes(worker: Worker, people: People) -> None:
    """6749-3.3-a: a request without `scope` gets the default, and the answer lists it."""
    body = await first_tokens(worker, people, "", FILES)
    assert body["scope"] == "openid profile offline_access files"
    assert claims_of(body["access_token"])["aud"] == [FILES, ISSUER]


async def test_downscoped(worker: Worker, people: People) -> None:
    """8707-2.2-a, 6749-5.1-a: the answer says so; the refresh token keeps the whole grant."""
    scope = "openid profile offline_access print files"
    both = f"{API} {FILES}"
    body = await first_tokens(worker, people, scope, both, resource=API)
    assert body["scope"] == "profile offline_access print"
    assert claims_of(body["access_token"])["scope"] == body["scope"]
    assert claims_of(body["access_token"])["aud"] == API
    # The ID token is for the device, whatever the access token is for.
    assert claims_of(body["id_token"])["sub"] == "sub-ada"
    token = body["refresh_token"]
    for resource, expected, audience in (
        (FILES, "profile offline_access files", FILES),
        (ISSUER, "openid profile offline_access", ISSUER),
        ("", scope, [API, FILES, ISSUER]),
    ):
        answer = await worker.refresh(token, "printer", resource=resource)
        assert answer.body["scope"] == expected
        assert claims_of(answer.body["access_token"])["scope"] == expected
        assert claims_of(answer.body["access_token"])["aud"] == audience
        token = answer.body["refresh_token"]


async def test_a_narrower_scope_tells_the_audience(worker: Worker, people: People) -> None:
    """9068-3-a: for a refresh without `resource`."""
    token = (await first_tokens(worker, people, "openid offline_access print"))["refresh_token"]
    for scope, audience in (("print", API), ("openid", ISSUER), ("openid print", [API, ISSUER])):
        answer = await worker.refresh(token, "printer", scope=scope)
        assert claims_of(answer.body["access_token"])["aud"] == audience
        token = answer.body["refresh_token"]


async def test_a_narrower_scope_opens_no_other_api(worker: Worker, people: People) -> None:
    """8707-2.2-a: the client's own audience is not part of the grant."""
    grant = await ask(worker, "print pay offline_access", "", "bill")
    await people.approve(grant.body["user_code"])
    first = await worker.poll(grant.body["device_code"], "bill")
    assert claims_of(first.body["access_token"])["aud"] == API
    answer = await worker.refresh(first.body["refresh_token"], "bill", scope="pay")
    claims_now = claims_of(answer.body["access_token"])
    assert (claims_now["aud"], claims_now["scope"]) == (API, "pay")


async def test_nothing_would_be_left(worker: Worker, people: People) -> None:
    """8707-2.2-a, 6749-5.1-a: an answer cannot have an empty scope; the token is not used up."""
    body = await first_tokens(worker, people, "offline_access print", f"{API} {FILES}")
    token = body["refresh_token"]
    refused = await worker.refresh(token, "printer", scope="print", resource=FILES)
    assert refused.outcome == INVALID_TARGET
    assert (await worker.refresh(token, "printer", resource=FILES)).status == 200


# Userinfo beside an API


@pytest.mark.parametrize(
    ("client_id", "scope", "resources", "person"),
    [
        ("printer", "openid profile print", "", {"name": "Ada", "preferred_username": "ada"}),
        ("opaque-printer", "openid print", API, {}),
        ("one-api", "openid", "", {}),
    ],
)
async def test_userinfo_with_the_token_of_the_answer(
    worker: Worker,
    people: People,
    client_id: str,
    scope: str,
    resources: str,
    person: dict[str, str],
) -> None:
    """OIDC-5.3.2-a, 9068-2.2-a: as libraries use it, whatever API the token is for."""
    token = (await first_tokens(worker, people, scope, resources, client_id))["access_token"]
    answer = await userinfo(worker, f"Bearer {token}")
    assert (answer.status, answer.body) == (200, {"sub": "sub-ada"} | person)
    # 7662-4-a: the API may introspect the token, but no other client may.
    assert (await introspect(worker, token, "rs-api"))["aud"] == [API, ISSUER]
    assert await introspect(worker, token, "rs-else") == INACTIVE


@BOTH_FORMATS
async def test_one_token_for_each(worker: Worker, people: People, client_id: str) -> None:
    """9068-5-a, 9700-2.3-a, 7662-4-a: userinfo refuses the API's token, and the API userinfo's."""
    scope = "openid offline_access print"
    body = await first_tokens(worker, people, scope, API, client_id, resource=API)
    answer = await userinfo(worker, f"Bearer {body['access_token']}")
    assert answer.outcome == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    state = await introspect(worker, body["access_token"], "rs-api")
    assert (state["aud"], state["scope"]) == (API, "offline_access print")

    own = await worker.refresh(body["refresh_token"], client_id, resource=ISSUER)
    assert (await userinfo(worker, f"Bearer {own.body['access_token']}")).status == 200
    assert await introspect(worker, own.body["access_token"], "rs-api") == INACTIVE


@pytest.mark.parametrize(
    ("audience", "status"),
    [(API, 401), ([API, FILES], 401), (f"{ISSUER}/", 401), (ISSUER, 200), ([API, ISSUER], 200)],
)
async def test_a_token_with_openid_for_others(
    stage: Stage, worker: Worker, people: People, audience: str | list[str], status: int
) -> None:
    """9068-4-a: the audience is checked byte for byte, not only the scope."""
    now = int(stage.clock.now)
    content = claims.access_token(
        await people.subject("ada"),
        claims.Access(audience=audience, client_id="printer", scope="openid", grant_id="g" * 16),
        issuer=ISSUER,
        jti="by hand",
        lifetime=Validity(now, now + 60),
    )
    connection = Connection.open(stage.url)
    token = await AccessTokens(connection).store(content, 60)
    await connection.close()
    assert (await userinfo(worker, f"Bearer {token}")).status == status


async def test_a_token_of_before_the_table(stage: Stage, people: People) -> None:
    """9068-3-a: after a change of settings, a grant's tokens are for the right API."""
    before = await stage.start_worker(msgspec.structs.replace(stage.settings, resources=()))
    scope = "offline_access print files"
    body = await first_tokens(before, people, scope)
    assert claims_of(body["access_token"])["aud"] == ISSUER
    after = await stage.start_worker()
    whole = await after.refresh(body["refresh_token"], "printer")
    assert (whole.body["scope"], claims_of(whole.body["access_token"])["aud"]) == (scope, ISSUER)
    one = await after.refresh(whole.body["refresh_token"], "printer", scope="print")
    assert claims_of(one.body["access_token"])["aud"] == ISSUER
