"""Dynamic client registration (RFC 7591, RFC 7592), in the store, known to all workers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.core.resources import ProtectedResource
from deviceflow.store import scripts
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable
from tests.stage.clock import Clock
from tests.stage.oauth import Answer, People, Stage, Worker
from tests.stage.proving import (
    API,
    AUTHORIZE,
    INITIAL,
    ISSUER,
    KEY,
    OTHER_KEY,
    REGISTER,
    claims_of,
    introspect,
    tokens,
    with_surface,
)
from tests.stage.waiting import PATIENCE_S

INVALID_TOKEN = (401, "invalid_token")
INVALID_METADATA = (400, "invalid_client_metadata")
PUBLIC = {"client_name": "Radio", "token_endpoint_auth_method": "none"}
Metadata = dict[str, Any]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


@pytest.fixture
async def stored(stage: Stage) -> AsyncIterator[StoredClients]:
    """The operator's way to the clients."""
    connection = Connection.open(stage.url)
    yield StoredClients(connection)
    await connection.close()


async def ask(
    worker: Worker, method: str, path: str, token: str, metadata: Metadata | None = None
) -> Answer:
    headers = {"Authorization": f"Bearer {token}"}
    return await worker.send(method, path, json=metadata, headers=headers)


async def register(worker: Worker, **metadata: Any) -> Metadata:  # noqa: ANN401, as in JSON
    answer = await ask(worker, "POST", REGISTER, INITIAL, PUBLIC | metadata)
    assert answer.status == 201, answer.body
    return answer.body


async def becomes(worker: Worker, client_id: str, status: int) -> None:
    """Wait for the answer to the client's requests; asked, for nobody tells."""
    for _ in range(500):
        if (await worker.authorize(client_id)).status == status:
            return
    pytest.fail(f"the worker never answered {status}")


async def test_a_public_client(worker: Worker, other_worker: Worker, people: People) -> None:
    """RFC 7591 3.2.1; it starts the flow at every worker, and gets no secret."""
    client = await register(worker)
    assert client["registration_client_uri"] == f"{ISSUER}{REGISTER}/{client['client_id']}"
    assert "client_secret" not in client
    assert client["token_endpoint_auth_method"] == "none"
    for each in (worker, other_worker):
        await becomes(each, client["client_id"], 200)
        body = await tokens(each, people, client["client_id"])
        assert body["scope"] == client["scope"] == "openid profile offline_access"


async def test_without_a_name(worker: Worker) -> None:
    """RFC 7591 2: client_name is optional; what people then read is no machine's id."""
    answer = await ask(worker, "POST", REGISTER, INITIAL, {})
    assert answer.status == 201
    assert answer.body["client_name"] == "Unnamed application"


async def test_keys_behind_an_address(worker: Worker) -> None:
    """RFC 7591 2: whoever sends jwks_uri is told what to send; null is nothing (RFC 7591 3.1)."""
    metadata = PUBLIC | {"token_endpoint_auth_method": "private_key_jwt"}
    jwks = {"keys": [KEY.as_dict(private=False)]}
    for also in ({}, {"jwks": jwks}):
        wanted = metadata | also | {"jwks_uri": "https://client.example.com/jwks"}
        refused = await ask(worker, "POST", REGISTER, INITIAL, wanted)
        assert refused.outcome == INVALID_METADATA
        assert "jwks_uri is not supported" in refused.body["error_description"]
    await register(worker, jwks=jwks, jwks_uri=None)


async def test_not_a_subject(worker: Worker) -> None:
    """9700-4.15-a: the server picks the id; a wish for one is not heard."""
    client = await register(worker, client_id="sub-ada")
    assert client["client_id"].startswith("client_")


async def test_a_secret_is_shown_once(stage: Stage, worker: Worker, clock: Clock) -> None:
    """RFC 7591 3.2.1, 6749-10.3-a: the store has only hashes."""
    client = await register(worker, token_endpoint_auth_method="client_secret_post")
    assert client["client_secret_expires_at"] == 0
    assert len(client["client_secret"]) >= 43
    path, token = f"{REGISTER}/{client['client_id']}", client["registration_access_token"]
    shown = await ask(worker, "GET", path, token)
    assert "client_secret" not in shown.body
    for secret in (client["client_secret"], token):
        for key in await stage.keys("*"):
            assert secret.encode() not in (await stage.redis.dump(key) or b"")
    form = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
    for _ in range(500):
        if (await worker.post(AUTHORIZE, form)).status == 200:
            break
    assert (await worker.post(AUTHORIZE, form | {"client_secret": "x"})).status == 401
    assert clock() > 0


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer x", "Basic eDp5"])
async def test_the_initial_access_token(worker: Worker, authorization: str | None) -> None:
    """RFC 7591 3: without it or with another one nothing happens."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await worker.send("POST", REGISTER, json=PUBLIC, headers=headers)
    assert answer.outcome == INVALID_TOKEN
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_bytes_that_are_no_token(stage: Stage, worker: Worker) -> None:
    for path in (b"/oauth2/register", b"/oauth2/register/x", b"/oauth2/register/%ff"):
        method = b"POST" if path == b"/oauth2/register" else b"GET"
        answer = await worker.raw(
            b"%b %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n"
            b"Content-Length: 0\r\n\r\n" % (method, path)
        )
        assert answer.outcome == INVALID_TOKEN
    assert await stage.keys("df:clients") == []


async def test_off_unless_enabled(stage: Stage) -> None:
    """The endpoint is not there, and the metadata says nothing of it (8414-2-a)."""
    off = msgspec.structs.replace(stage.settings, registration=type(stage.settings.registration)())
    worker = await stage.start_worker(off)
    assert (await ask(worker, "POST", REGISTER, INITIAL, PUBLIC)).status == 404
    async with worker.client.get("/.well-known/oauth-authorization-server") as response:
        assert "registration_endpoint" not in await response.json()


BAD: dict[str, Metadata] = {
    "native with client_secret_basic": {
        "application_type": "native",
        "token_endpoint_auth_method": "client_secret_basic",
    },
    "native with client_secret_post": {
        "application_type": "native",
        "token_endpoint_auth_method": "client_secret_post",
    },
    "native with the default": {"application_type": "native", "token_endpoint_auth_method": None},
    "a certificate": {"token_endpoint_auth_method": "tls_client_auth"},
    "no jwks": {"token_endpoint_auth_method": "private_key_jwt"},
    "no key": {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
    "a symmetric key": {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [{"kty": "oct"}]},
    },
    "a key that is a text": {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": ["x"]},
    },
    "a private key": {"jwks": {"keys": [KEY.as_dict(private=True)]}},
    "keys that are an object": {"jwks": {"keys": {}}},
    "jwks that are a list": {"jwks": []},
    "another grant": {"grant_types": ["authorization_code"]},
    "refresh alone": {"grant_types": ["refresh_token"]},
    "grants that are a text": {"grant_types": "refresh_token"},
    "no grant": {"grant_types": []},
    "an empty method": {"token_endpoint_auth_method": ""},
    "two spaces in scope": {"scope": "openid  profile"},
    "a tab in scope": {"scope": "openid\tprofile"},
    "an unknown scope": {"scope": "admin"},
    "one unknown scope": {"scope": "openid admin"},
    "a scope that is a number": {"scope": 1},
    "a name of two lines": {"client_name": "two\nlines"},
    "an empty name": {"client_name": ""},
    "a name with a space before it": {"client_name": " x"},
    "a long name": {"client_name": "x" * 101},
    "a name that is an object": {"client_name": {}},
}


@pytest.mark.parametrize("metadata", BAD.values(), ids=BAD)
async def test_refused(stage: Stage, worker: Worker, metadata: Metadata) -> None:
    """RFC 7591 3.2.2; 6749-2.3-b, 6749-10.1-a: a native application asks for a secret in vain."""
    answer = await ask(worker, "POST", REGISTER, INITIAL, PUBLIC | metadata)
    assert answer.outcome == INVALID_METADATA
    assert await stage.keys("df:clients") == []
    if metadata.get("client_name"):
        assert metadata["client_name"] not in answer.body["error_description"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'"x"', b"\xff", b"[" * 1900, b'{"jwks":' * 200]
)
async def test_no_json(worker: Worker, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {INITIAL}", "Content-Type": "application/json"}
    answer = await worker.post(REGISTER, body, headers=headers)
    assert answer.outcome == INVALID_METADATA
    form = await worker.post(REGISTER, {"a": "b"}, headers={"Authorization": f"Bearer {INITIAL}"})
    assert form.outcome == INVALID_METADATA


async def test_its_life(worker: Worker) -> None:
    """RFC 7592 2: shown, changed, forgotten, each time with the token that it got."""
    client = await register(worker)
    path, token = f"{REGISTER}/{client['client_id']}", client["registration_access_token"]
    assert (await ask(worker, "GET", path, token)).body == client
    wanted = PUBLIC | {"client_id": client["client_id"], "client_name": "Clock", "scope": "openid"}
    changed = await ask(worker, "PUT", path, token, wanted)
    assert changed.body == client | {"client_name": "Clock", "scope": "openid"}
    assert (await ask(worker, "GET", path, token)).body == changed.body
    await becomes(worker, client["client_id"], 200)
    headers = {"Authorization": f"Bearer {token}"}
    async with worker.client.delete(path, headers=headers) as response:
        assert response.status == 204
    assert (await ask(worker, "GET", path, token)).outcome == INVALID_TOKEN
    await becomes(worker, client["client_id"], 401)


async def test_its_tokens_end_with_it(worker: Worker, people: People) -> None:
    client = await register(worker)
    await becomes(worker, client["client_id"], 200)
    body = await tokens(worker, people, client["client_id"])
    assert (await introspect(worker, body["access_token"]))["active"] is True
    headers = {"Authorization": f"Bearer {client['registration_access_token']}"}
    await worker.client.delete(f"{REGISTER}/{client['client_id']}", headers=headers)
    await becomes(worker, client["client_id"], 401)
    for token in (body["access_token"], body["refresh_token"]):
        assert await introspect(worker, token) == {"active": False}
    assert (await worker.refresh(body["refresh_token"], client["client_id"])).status == 401


async def test_another_clients_token(worker: Worker) -> None:
    """RFC 7592 2: nor the initial one; and who is unknown looks the same."""
    one, two = await register(worker), await register(worker)
    token = two["registration_access_token"]
    for client_id in (one["client_id"], "tv-app", "nobody", "%00", "%ff"):
        for wrong in (token, INITIAL, "x"):
            path = f"{REGISTER}/{client_id}"
            assert (await ask(worker, "GET", path, wrong)).outcome == INVALID_TOKEN
            assert (await ask(worker, "PUT", path, wrong, PUBLIC)).outcome == INVALID_TOKEN
            assert (await ask(worker, "DELETE", path, wrong)).outcome == INVALID_TOKEN


@pytest.mark.parametrize(
    "change", [{"client_id": None}, {"client_id": "tv-app"}, {"client_secret": "my own"}]
)
async def test_what_cannot_be_changed(worker: Worker, change: Metadata) -> None:
    """RFC 7592 2.2: neither the id nor the secret."""
    method = {"token_endpoint_auth_method": "client_secret_basic"}
    client = await register(worker, **method)
    path, token = f"{REGISTER}/{client['client_id']}", client["registration_access_token"]
    wanted = PUBLIC | method | {"client_id": client["client_id"]}
    assert (await ask(worker, "PUT", path, token, wanted | change)).outcome == INVALID_METADATA
    same = wanted | {"client_secret": client["client_secret"]}
    assert (await ask(worker, "PUT", path, token, same)).status == 200


async def change(worker: Worker, client: Metadata, **metadata: Any) -> Answer:  # noqa: ANN401
    """Answer of a PUT of what a public client has registered, with `metadata` for some of it."""
    path, token = f"{REGISTER}/{client['client_id']}", client["registration_access_token"]
    wanted = PUBLIC | {"client_id": client["client_id"]} | metadata
    return await ask(worker, "PUT", path, token, wanted)


async def operator_sets(stored: StoredClients, client: Metadata, **fields: object) -> Client:
    """The client as the operator changes it."""

    def edit(before: Client | None) -> Client:
        assert before is not None
        return msgspec.structs.replace(before, **fields)

    return await stored.change(client["client_id"], edit)


async def test_what_only_the_operator_sets(worker: Worker, stored: StoredClients) -> None:
    """A client that was disabled does not enable itself; its audience stays, too."""
    client = await register(worker)
    before = await operator_sets(
        stored, client, enabled=False, audience="https://api.example", pkce="required"
    )
    assert (await change(worker, client, client_name="Clock")).status == 200
    assert await stored.find(client["client_id"]) == msgspec.structs.replace(before, name="Clock")


KEYS = {"keys": [KEY.as_dict(private=False)]}
OTHER_KEYS = {"keys": [OTHER_KEY.as_dict(private=False)]}


async def test_what_the_operator_has_tightened(worker: Worker, stored: StoredClients) -> None:
    """RFC 7592 2.2, RFC 7591 3.2.1: it stays, and the answer says what is in force."""
    client = await register(worker)
    before = await operator_sets(
        stored,
        client,
        scopes=("openid", "print"),
        dpop="required",
        refresh_token=False,
        auth_method="private_key_jwt",
        jwks=KEYS,
    )
    answer = await change(worker, client)
    assert answer.status == 200
    told = answer.body
    assert await stored.find(client["client_id"]) == before
    assert told["token_endpoint_auth_method"] == "private_key_jwt"
    assert (told["scope"], told["dpop_bound_access_tokens"]) == ("openid print", True)
    assert told["grant_types"] == [DEVICE_CODE_GRANT]
    assert told["jwks"] == KEYS
    # What was shown can be sent back (RFC 7592 2.2), and means no change either.
    sent_back = {name: told[name] for name in told if not name.startswith("registration_")}
    assert (await change(worker, client, **sent_back)).body == told
    wider = await change(worker, client, scope="profile openid")
    assert wider.body["scope"] == "openid"
    assert (await change(worker, client, scope="openid admin")).outcome == INVALID_METADATA


async def test_a_certificate_that_the_operator_asks_for(
    worker: Worker, stored: StoredClients
) -> None:
    """Nobody registers with tls_client_auth, and nobody leaves it by a change."""
    client = await register(worker)
    before = await operator_sets(
        stored, client, auth_method="tls_client_auth", tls_client_auth_subject_dn="CN=x"
    )
    for metadata in (
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": KEYS},
    ):
        answer = await change(worker, client, **metadata)
        assert answer.body["token_endpoint_auth_method"] == "tls_client_auth"
        assert "client_secret" not in answer.body
    after = await stored.find(client["client_id"])
    assert after == msgspec.structs.replace(before, jwks=KEYS)


async def test_what_a_registrant_may_change(worker: Worker, stored: StoredClients) -> None:
    """Name and keys, and whatever narrows; a refresh policy of the operator's stays."""
    client = await register(worker, scope="openid profile")
    await operator_sets(stored, client, refresh_token=True)
    post = await change(worker, client, token_endpoint_auth_method="client_secret_post")
    assert len(post.body["client_secret"]) >= 43
    basic = await change(worker, client, token_endpoint_auth_method="client_secret_basic")
    assert "client_secret" not in basic.body
    assert basic.body["token_endpoint_auth_method"] == "client_secret_basic"
    for jwks in (KEYS, OTHER_KEYS):
        keyed = {"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks}
        assert (await change(worker, client, scope="openid", **keyed)).status == 200
        after = await stored.find(client["client_id"])
        assert after == Client(
            client_id=client["client_id"],
            name="Radio",
            scopes=("openid",),
            auth_method="private_key_jwt",
            jwks=jwks,
            refresh_token=True,
        )
    await change(worker, client, grant_types=[DEVICE_CODE_GRANT], **keyed)
    after = await stored.find(client["client_id"])
    assert after is not None
    assert after.refresh_token is False


Between = Callable[[StoredClients, Metadata], Awaitable[object]]


async def disable(stored: StoredClients, client: Metadata) -> None:
    await operator_sets(stored, client, enabled=False)


async def remove(stored: StoredClients, client: Metadata) -> None:
    assert await stored.remove(client["client_id"])


async def rotate_secret(stored: StoredClients, client: Metadata) -> None:
    await operator_sets(stored, client, secret_sha256=("a" * 64,))


async def put_slowly(
    worker: Worker, client: Metadata, metadata: Metadata, between: Awaitable[object]
) -> int:
    """The status of a PUT whose sender waits for `between` before the end of its body."""
    body = json.dumps(metadata | {"client_id": client["client_id"]}).encode()
    head = (
        f"PUT {REGISTER}/{client['client_id']} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        f"Authorization: Bearer {client['registration_access_token']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    async with asyncio.timeout(PATIENCE_S):
        writer.write(head.encode())
        # The request is being handled.
        assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(body[:5])
        await between
        writer.write(body[5:])
        answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return int(answer.split()[1])


SECRET_METADATA = {"client_name": "Clock", "token_endpoint_auth_method": "client_secret_basic"}


@pytest.mark.parametrize("between", [disable, rotate_secret])
async def test_a_slow_change_undoes_nothing(
    worker: Worker, stored: StoredClients, between: Between
) -> None:
    """Whoever manages a client and holds the body back: what the operator does meanwhile stays."""
    client = await register(worker, **SECRET_METADATA)
    assert await put_slowly(worker, client, SECRET_METADATA, between(stored, client)) == 200
    after = await stored.find(client["client_id"])
    assert after is not None
    assert after.name == "Clock"
    assert after.enabled is (between is not disable)
    assert (after.secret_sha256 == ("a" * 64,)) is (between is rotate_secret)


async def test_a_slow_change_brings_nothing_back(worker: Worker, stored: StoredClients) -> None:
    client = await register(worker)
    assert await put_slowly(worker, client, PUBLIC, remove(stored, client)) == 401
    assert await stored.find(client["client_id"]) is None


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("between", [disable, remove])
async def test_the_operator_is_faster(
    monkeypatch: pytest.MonkeyPatch,
    worker: Worker,
    stored: StoredClients,
    between: Between,
    method: str,
) -> None:
    """Between the reading and the writing of a change: it is made anew of what is there then."""
    client = await register(worker)
    change_client = scripts.change_client
    done: list[bool] = []

    async def delayed(*args: Any, **options: Any) -> bool:  # noqa: ANN401, as it is
        if not done:
            done.append(True)
            await between(stored, client)
        return await change_client(*args, **options)

    monkeypatch.setattr(scripts, "change_client", delayed)
    headers = {"Authorization": f"Bearer {client['registration_access_token']}"}
    path, wanted = f"{REGISTER}/{client['client_id']}", PUBLIC | {"client_id": client["client_id"]}
    async with worker.client.request(method, path, headers=headers, json=wanted) as response:
        assert done
        good = 200 if method == "PUT" else 204
        # Who deletes what is gone is told that it is: the answer may be to a repetition.
        assert response.status == (401 if (between, method) == (remove, "PUT") else good)
    after = await stored.find(client["client_id"])
    assert (after is None) is (between is remove or method == "DELETE")
    assert after is None or not after.enabled


async def test_held_to_the_rules(worker: Worker, stored: StoredClients) -> None:
    """Those for a client of the file; of what breaks one nothing is repeated."""
    client = await register(worker)
    before = await operator_sets(stored, client, interval_s=3333)
    answer = await change(worker, client)
    assert answer.outcome == INVALID_METADATA
    assert "3333" not in answer.body["error_description"]
    assert await stored.find(client["client_id"]) == before


async def test_scopes_of_an_api(stage: Stage, people: People, stored: StoredClients) -> None:
    """RFC 8707: who may ask for an API's scopes may name the API."""
    settings = msgspec.structs.replace(
        stage.settings,
        resources=(ProtectedResource(resource=API, scopes=("print",)),),
        registration=msgspec.structs.replace(
            stage.settings.registration, scopes=("openid", "print")
        ),
    )
    worker = await stage.start_worker(settings)
    client = await register(worker, scope="print")
    found = await stored.find(client["client_id"])
    assert found is not None
    assert found.resources == (API,)
    body = await tokens(worker, people, client["client_id"], resource=API)
    assert claims_of(body["access_token"])["aud"] == API
    # One that was registered before there were resources.
    await operator_sets(stored, client, resources=())
    assert (await change(worker, client)).status == 200
    assert await stored.find(client["client_id"]) == found
    before = await operator_sets(stored, client, resources=(), audience=API)
    assert (await change(worker, client)).status == 200
    assert await stored.find(client["client_id"]) == before


async def test_what_is_logged(worker: Worker) -> None:
    """Registering, changing, removing; never a secret; a refused body is nobody's concern."""
    secret = {"token_endpoint_auth_method": "client_secret_basic"}
    with capture_logs() as logs:
        client = await register(worker, scope="openid profile", **secret)
        await change(worker, client, scope="openid", **secret)
        await change(worker, client, scope="admin", **secret)
        path, token = f"{REGISTER}/{client['client_id']}", client["registration_access_token"]
        async with worker.client.delete(path, headers={"Authorization": f"Bearer {token}"}) as gone:
            assert gone.status == 204
        await ask(worker, "DELETE", path, token)
    told = {"client_id": client["client_id"], "log_level": "info"}
    method = {"auth_method": "client_secret_basic"}
    refused = {
        "event": "client.refused",
        "client_id": client["client_id"],
        "address": "127.0.0.1",
        "reason": "has no registration access token, or a wrong one",
        "times": 1,
        "log_level": "warning",
    }
    assert [line for line in logs if line["event"] != "clients.reloaded"] == [
        told | method | {"event": "client.registered", "scope": "openid profile"},
        told | method | {"event": "client.changed", "scope": "openid"},
        told | {"event": "client.removed"},
        refused,
    ]


async def test_an_initial_token_that_is_refused(worker: Worker) -> None:
    with capture_logs() as logs:
        assert (await ask(worker, "POST", REGISTER, "guessed", {})).status == 401
    (line,) = logs
    assert (line["event"], line["address"]) == ("client.refused", "127.0.0.1")
    assert "initial access token" in line["reason"]
    assert "guessed" not in str(line)


async def test_what_is_registered_counts(worker: Worker, people: People) -> None:
    """9449-5.2-a; grant_types without refresh_token; scopes that were asked for."""
    client = await register(worker, dpop_bound_access_tokens=True)
    assert client["dpop_bound_access_tokens"] is True
    await becomes(worker, client["client_id"], 400)
    plain = await register(
        worker,
        grant_types=["urn:ietf:params:oauth:grant-type:device_code"],
        scope="openid offline_access",
    )
    await becomes(worker, plain["client_id"], 200)
    assert "refresh_token" not in await tokens(worker, people, plain["client_id"])


async def test_at_once_and_anywhere(worker: Worker, other_worker: Worker) -> None:
    """A worker that has not heard of a client looks for it before it refuses."""

    async def never() -> None:
        raise StoreUnavailable

    other_worker.feed.on_change = never
    client = await register(worker)
    assert (await other_worker.authorize(client["client_id"])).status == 200


async def test_a_client_of_the_operators(
    worker: Worker, other_worker: Worker, stored: StoredClients
) -> None:
    """In the store, above the file; disabled, it is refused everywhere within a second."""
    await stored.put(Client(client_id="new", name="New", scopes=("profile",)))
    for each in (worker, other_worker):
        await becomes(each, "new", 200)
    await stored.put(Client(client_id="new", name="New", scopes=("profile",), enabled=False))
    await stored.put(Client(client_id="tv-app", name="TV", scopes=("profile",), enabled=False))
    for each in (worker, other_worker):
        await becomes(each, "new", 401)
        await becomes(each, "tv-app", 401)
    assert await stored.remove("tv-app")
    for each in (worker, other_worker):
        await becomes(each, "tv-app", 200)


async def test_disabled_at_every_step(
    worker: Worker, people: People, stored: StoredClients
) -> None:
    """Section 3: refused at the token endpoint, at refresh and at introspection."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    body = await tokens(worker, people)
    await stored.put(Client(client_id="tv-app", name="TV", scopes=("profile",), enabled=False))
    await becomes(worker, "tv-app", 401)
    assert (await worker.poll(grant.body["device_code"])).outcome == (401, "invalid_client")
    assert (await worker.refresh(body["refresh_token"])).outcome == (401, "invalid_client")
    for token in (body["access_token"], body["refresh_token"]):
        assert await introspect(worker, token) == {"active": False}


async def test_a_record_that_nobody_can_read(
    stage: Stage, worker: Worker, stored: StoredClients
) -> None:
    """Of a later version, perhaps: that client is refused, all others and the worker go on.

    Also where the file has an enabled client of that id: the stored one may be disabled.
    """
    for client_id in ("later", "tv-app"):
        later = json.dumps({"client_id": client_id, "name": "Later", "unheard_of": 1})
        await stage.redis.hset("df:clients", client_id, later)
    await stored.put(Client(client_id="new", name="New", scopes=("profile",)))
    await becomes(worker, "new", 200)
    for client_id in ("later", "tv-app"):
        assert (await worker.authorize(client_id)).outcome == (401, "invalid_client")
    assert (await worker.readiness())[0] == 200


async def test_a_registration_that_nobody_can_read(stage: Stage, worker: Worker) -> None:
    """RFC 7592 2: a 401 would say that it is gone. Who may not manage it hears nothing new."""
    client = await register(worker)
    path, token = f"{REGISTER}/{client['client_id']}", client["registration_access_token"]
    await stage.redis.hset("df:clients", client["client_id"], '{"unheard_of":1}')
    wanted = PUBLIC | {"client_id": client["client_id"]}
    for method, metadata in (("GET", None), ("PUT", wanted), ("DELETE", None)):
        answer = await ask(worker, method, path, token, metadata)
        assert answer.outcome == (503, "temporarily_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert (await ask(worker, method, path, INITIAL, metadata)).outcome == INVALID_TOKEN
    assert await stage.redis.hget("df:clients", client["client_id"]) == b'{"unheard_of":1}'
