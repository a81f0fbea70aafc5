"""The rules of a client against phishing, as its devices meet them."""

import asyncio

import msgspec
import pytest

from deviceflow.config import Device, Phishing, Server
from deviceflow.core.client import Client
from deviceflow.core.grant import State
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.store.client_cancellations import ClientCancellations
from deviceflow.store.clients import StoredClients
from deviceflow.store.mirror import Mirror
from tests.stage.oauth import CLIENTS, Stage, Worker
from tests.stage.waiting import until

SCOPES = ("openid", "profile", "admin")
RULED = (
    Client(client_id="here", name="Here", scopes=SCOPES, start_networks=("127.0.0.0/8", "::1")),
    Client(client_id="there", name="There", scopes=SCOPES, start_networks=("192.0.2.0/24",)),
    Client(client_id="barred", name="Barred", scopes=SCOPES, device=False),
    Client(client_id="allowed", name="Allowed", scopes=SCOPES, device=True),
    Client(client_id="free", name="Free", scopes=SCOPES, optional_scopes=("admin",)),
)
PROXIED = Server(trusted_proxies=("127.0.0.0/8",))


async def ruled(stage: Stage, **changes: object) -> Worker:
    """A worker with the clients above, and other settings."""
    settings = msgspec.structs.replace(stage.settings, clients=(*CLIENTS, *RULED), **changes)
    return await stage.start_worker(settings)


@pytest.mark.parametrize(
    ("client_id", "address", "outcome"),
    [
        ("here", "127.0.0.1", (200, "")),
        ("here", "192.0.2.9", (400, "unauthorized_client")),
        ("there", "192.0.2.9", (200, "")),
        ("there", "198.51.100.1", (400, "unauthorized_client")),
        ("free", "198.51.100.1", (200, "")),
    ],
)
async def test_where_devices_may_start(
    stage: Stage, client_id: str, address: str, outcome: tuple[int, str]
) -> None:
    worker = await ruled(stage, server=PROXIED)
    headers = {"X-Forwarded-For": address}
    path = "/oauth2/device_authorization"
    answer = await worker.post(path, {"client_id": client_id}, headers=headers)
    assert answer.outcome == outcome
    if outcome[0] != 200:
        said = "This client may not ask for codes from this network."
        assert answer.body["error_description"] == said
        assert await stage.keys("df:g:*") == []


async def test_a_general_rule_holds_for_clients_without_one(stage: Stage) -> None:
    worker = await ruled(stage, phishing=Phishing(start_networks=("192.0.2.0/24",)))
    assert (await worker.authorize("free")).error == "unauthorized_client"
    assert (await worker.authorize("here")).status == 200


async def test_a_client_that_may_not_use_the_grant(stage: Stage) -> None:
    """RFC 6749 5.2: it is authenticated, and not authorized to use this grant type."""
    worker = await ruled(stage)
    answer = await worker.authorize("barred")
    assert answer.outcome == (400, "unauthorized_client")
    assert (await worker.authorize("allowed")).status == 200
    strict = await ruled(stage, device=Device(enabled_by_default=False))
    assert (await strict.authorize("free")).error == "unauthorized_client"
    assert (await strict.authorize("allowed")).status == 200


@pytest.mark.parametrize("lane", [True, False])
async def test_a_client_that_is_barred_while_its_device_waits(stage: Stage, *, lane: bool) -> None:
    worker = await ruled(stage, server=Server(lane=lane))
    grant = (await worker.authorize("allowed")).body
    assert (await worker.poll(grant["device_code"], "allowed")).error == "authorization_pending"
    barred = msgspec.structs.replace(RULED[3], device=False)
    await StoredClients(worker.parts.connection).put(barred)
    await until(lambda: worker.parts.clients.find("allowed") == barred)
    assert (await worker.poll(grant["device_code"], "allowed")).error == "unauthorized_client"


async def test_scopes_that_no_device_gets(stage: Stage) -> None:
    worker = await ruled(stage, phishing=Phishing(barred_scopes=("admin",)))
    answer = await worker.authorize("free", scope="openid admin")
    assert answer.outcome == (400, "invalid_scope")
    assert "may not ask for: admin" in answer.body["error_description"]
    grant = (await worker.authorize("free")).body
    await stage.people.approve(grant["user_code"])
    tokens = (await worker.poll(grant["device_code"], "free")).body
    assert tokens["scope"] == "openid profile"


async def test_a_scope_that_is_barred_later_ends_what_was_approved_with_it(stage: Stage) -> None:
    """A new setting holds for codes and refresh tokens of before."""
    before = await ruled(stage)
    grant = (await before.authorize("free", scope="openid admin")).body
    await stage.people.approve(grant["user_code"])
    after = await ruled(stage, phishing=Phishing(barred_scopes=("admin",)))
    assert (await after.poll(grant["device_code"], "free")).error == "invalid_grant"
    assert (await before.poll(grant["device_code"], "free")).status == 200


async def test_a_new_client_of_the_store_has_no_barred_scope_either(stage: Stage) -> None:
    """Also before this worker has heard of it."""
    worker = await ruled(stage, phishing=Phishing(barred_scopes=("admin",)))
    new = Client(client_id="new", name="New", scopes=SCOPES)
    record = msgspec.json.encode(new)
    await stage.redis.hset("df:clients", "new", record)
    assert (await worker.authorize("new", scope="admin")).error == "invalid_scope"
    assert (await worker.authorize("new", scope="openid")).status == 200


async def cancel_all(*workers: Worker) -> None:
    """An operator cancels all waiting grants of tv-app; every worker has heard of it."""
    await ClientCancellations(workers[0].parts.connection, Mirror()).cancel("tv-app")
    await until(lambda: all(worker.mirror.cancelled_below for worker in workers))


@pytest.mark.parametrize("lane", [True, False])
async def test_all_waiting_grants_of_a_client_are_cancelled(stage: Stage, *, lane: bool) -> None:
    """At every worker, pending and approved ones; new ones, and those of others, go on."""
    settings = msgspec.structs.replace(stage.settings, server=Server(lane=lane))
    one, two = await stage.start_worker(settings), await stage.start_worker(settings)
    pending, approved, other = [
        (await one.authorize(client_id)).body for client_id in ("tv-app", "tv-app", "other-tv")
    ]
    await stage.people.approve(approved["user_code"])
    await cancel_all(one, two)
    for worker in (one, two):
        for grant in (pending, approved):
            assert (await worker.poll(grant["device_code"])).outcome == (400, "access_denied")
        answer = await worker.poll(other["device_code"], "other-tv")
        assert answer.error in {"authorization_pending", "slow_down"}
    late = (await two.authorize()).body
    await stage.people.approve(late["user_code"])
    assert (await one.poll(late["device_code"])).status == 200
    # A worker that starts knows it before its first answer.
    three = await stage.start_worker(settings)
    assert (await three.poll(pending["device_code"])).outcome == (400, "access_denied")
    found = await three.parts.grants.find(pending["user_code"].replace("-", ""))
    assert found is not None
    assert found.state is State.CANCELLED


@pytest.mark.parametrize("lane", [True, False])
async def test_a_held_poll_is_answered_at_once(stage: Stage, *, lane: bool) -> None:
    worker = await stage.start_worker(
        msgspec.structs.replace(stage.settings, server=Server(lane=lane))
    )
    code = (await worker.authorize()).body["device_code"]
    form = {"grant_type": DEVICE_CODE_GRANT, "device_code": code, "client_id": "tv-app"}
    held = asyncio.create_task(worker.post("/oauth2/token", form, headers={"Prefer": "wait=30"}))
    await until(lambda: code_is_held(worker))
    await cancel_all(worker)
    assert (await held).outcome == (400, "access_denied")


def code_is_held(worker: Worker) -> bool:
    """Whether the worker watches for the decision of a poll that it holds."""
    return bool(worker.mirror._watchers)


async def test_the_tokens_of_a_device_that_was_quicker_stay(stage: Stage) -> None:
    """Its answer may have been lost: it gets the same tokens again."""
    worker = await stage.start_worker()
    grant = (await worker.authorize()).body
    await stage.people.approve(grant["user_code"])
    first = await worker.poll(grant["device_code"])
    assert first.status == 200
    await cancel_all(worker)
    again = await worker.poll(grant["device_code"])
    assert again.status == 200
    assert again.body["refresh_token"] == first.body["refresh_token"]
