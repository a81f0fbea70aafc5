"""The rules of a client against phishing, as its devices meet them."""

import msgspec
import pytest

from deviceflow.config import Device, Phishing, Server
from deviceflow.core.client import Client
from deviceflow.store.clients import StoredClients
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
