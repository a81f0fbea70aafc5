"""Dynamic client registration (RFC 7591, RFC 7592), in the store, known to all workers."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.store import scripts
from deviceflow.store.announcements import announce_client
from deviceflow.store.clients import StoredClients
from deviceflow.store.errors import StoreUnavailable
from tests.oauth.token.test_algorithms import header_of
from tests.stage.clock import Clock
from tests.stage.oauth import People, Stage, Until, Worker
from tests.stage.proving import (
    AUTHORIZE,
    INITIAL,
    ISSUER,
    REGISTER,
    introspect,
    tokens,
    with_surface,
)
from tests.stage.registering import PUBLIC, Metadata, ask, change, operator_sets, register
from tests.stage.waiting import PATIENCE_S

INVALID_TOKEN = (401, "invalid_token")
INVALID_METADATA = (400, "invalid_client_metadata")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


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


async def test_a_registrant_cannot_touch_the_operators_rules(worker: Worker) -> None:
    """Neither at the registration nor by a change: these are no metadata of RFC 7591."""
    rules = {
        "device": True,
        "approval_networks": ["0.0.0.0/0"],
        "if_far": "show",
        "sign_in": "any",
        "verified": True,
    }
    client = await register(worker, **rules)
    stored = await worker.parts.stored_clients.find(client["client_id"])
    assert stored is not None
    assert not stored.verified
    assert not stored.restricts_grants
    strict = msgspec.structs.replace(
        stored, device=False, approval_networks=("192.0.2.0/24",), if_far="refuse"
    )
    await worker.parts.stored_clients.put(strict)
    path, token = f"{REGISTER}/{client['client_id']}", client["registration_access_token"]
    wanted = PUBLIC | {"client_id": client["client_id"]} | rules
    assert (await ask(worker, "PUT", path, token, wanted)).status == 200
    assert await worker.parts.stored_clients.find(client["client_id"]) == strict


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
    one, two = await register(worker), await register(worker, client_name="Clock")
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
    change_named_client = scripts.change_named_client
    done: list[bool] = []

    async def delayed(*args: Any, **options: Any) -> str:  # noqa: ANN401, as it is
        if not done:
            done.append(True)
            await between(stored, client)
        return await change_named_client(*args, **options)

    monkeypatch.setattr(scripts, "change_named_client", delayed)
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


async def test_tokens_signed_as_registered(worker: Worker, people: People, until: Until) -> None:
    """OpenID Connect Registration 2: also by the first client that asks for the algorithm."""
    client = await register(worker, id_token_signed_response_alg="RS256", scope="openid")
    await becomes(worker, client["client_id"], 200)
    await until(lambda: worker.parts.signer.key_for("RS256"))
    signed = await tokens(worker, people, client["client_id"])
    for name in ("id_token", "access_token"):
        assert header_of(signed[name])["alg"] == "RS256"


async def test_what_is_registered_counts(worker: Worker, people: People) -> None:
    """9449-5.2-a; grant_types without refresh_token; scopes that were asked for."""
    client = await register(worker, dpop_bound_access_tokens=True)
    assert client["dpop_bound_access_tokens"] is True
    await becomes(worker, client["client_id"], 400)
    plain = await register(
        worker,
        grant_types=["urn:ietf:params:oauth:grant-type:device_code"],
        scope="openid offline_access",
        client_name="Clock",
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
        later = json.dumps({"client_id": client_id, "name": "Later", "v": 3})
        await stage.redis.hset("df:clients", client_id, later)
        await announce_client(worker.parts.connection, client_id)
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
