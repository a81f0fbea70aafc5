"""What a person or an operator disconnects has no access: at each endpoint, at every worker."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

import pytest

from deviceflow.store.account_marks import EVERYTHING
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.devices import Devices
from deviceflow.store.shapes import Command
from tests.stage.clock import Clock
from tests.stage.oauth import People, Stage, Until, Worker
from tests.stage.proving import INACTIVE, introspect, tokens, userinfo, with_surface

INVALID_GRANT = (400, "invalid_grant")
INVALID_TOKEN = (401, "invalid_token")
ACCESS_DENIED = (400, "access_denied")
EACH_FORMAT = pytest.mark.parametrize("client_id", ["tv-app", "opaque"])


@pytest.fixture
def settings(settings):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, as conftest's
    return with_surface(settings)


@pytest.fixture
def devices(worker: Worker) -> Devices:
    return worker.parts.devices


async def only_device(devices: Devices) -> str:
    (device,) = (await devices.of("sub-ada")).devices
    return device.grant_id


@EACH_FORMAT
async def test_a_device_that_was_disconnected(
    stage: Stage, worker: Worker, people: People, devices: Devices, client_id: str
) -> None:
    other = await stage.start_worker()
    body = await tokens(worker, people, client_id)
    assert (await userinfo(other, f"Bearer {body['access_token']}")).status == 200
    assert await devices.disconnect("sub-ada", await only_device(devices))
    for each in (worker, other):
        assert await introspect(each, body["access_token"]) == INACTIVE
        assert (await userinfo(each, f"Bearer {body['access_token']}")).outcome == INVALID_TOKEN
        if "refresh_token" in body:
            assert await introspect(each, body["refresh_token"]) == INACTIVE
            refreshed = await each.refresh(body["refresh_token"], client_id)
            assert refreshed.outcome == INVALID_GRANT


async def test_an_approval_that_was_taken_back(
    stage: Stage, worker: Worker, people: People, devices: Devices
) -> None:
    other = await stage.start_worker()
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    assert await devices.disconnect("sub-ada", await only_device(devices))
    for each in (worker, other):
        assert (await each.poll(grant.body["device_code"])).outcome == ACCESS_DENIED


async def test_a_repeated_redemption_gives_nothing_back(
    worker: Worker, people: People, devices: Devices
) -> None:
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    assert (await worker.poll(grant.body["device_code"])).status == 200
    assert await devices.disconnect("sub-ada", await only_device(devices))
    assert (await worker.poll(grant.body["device_code"])).outcome == INVALID_GRANT


async def test_each_refresh_shows_when_the_device_was_used(
    worker: Worker, people: People, devices: Devices, clock: Clock
) -> None:
    body = await tokens(worker, people)
    clock.advance(100)
    assert (await worker.refresh(body["refresh_token"])).status == 200
    (device,) = (await devices.of("sub-ada")).devices
    assert device.used_at == int(clock())


@EACH_FORMAT
async def test_a_person_whose_devices_were_ended(
    stage: Stage, worker: Worker, people: People, clock: Clock, client_id: str
) -> None:
    """By the account's mark alone, at every worker at once: no list knows of them."""
    other = await stage.start_worker()
    clock.advance(-60)
    body, grant = await tokens(worker, people, client_id), await worker.authorize(client_id)
    await people.approve(grant.body["user_code"])
    clock.advance(60)
    await end_all_devices(worker)
    for each in (worker, other):
        assert await introspect(each, body["access_token"]) == INACTIVE
        assert (await userinfo(each, f"Bearer {body['access_token']}")).outcome == INVALID_TOKEN
        if "refresh_token" in body:
            assert await introspect(each, body["refresh_token"]) == INACTIVE
            refreshed = await each.refresh(body["refresh_token"], client_id)
            assert refreshed.outcome == INVALID_GRANT
        polled = await each.poll(grant.body["device_code"], client_id)
        assert polled.outcome == ACCESS_DENIED


async def test_a_person_connects_devices_anew(worker: Worker, people: People, clock: Clock) -> None:
    await end_all_devices(worker)
    clock.advance(2)
    body = await tokens(worker, people)
    assert (await introspect(worker, body["access_token"]))["active"] is True
    assert (await worker.refresh(body["refresh_token"])).status == 200


async def end_all_devices(worker: Worker) -> None:
    """Set the mark that `PersonAccess` sets first, and no more."""
    account = await worker.parts.users.find("ada")
    assert account is not None
    await worker.parts.users.end_until_now(account, *EVERYTHING)


@EACH_FORMAT
async def test_a_client_that_was_revoked(
    stage: Stage, worker: Worker, people: People, until: Until, client_id: str
) -> None:
    """All that it received until then; what is approved later is good."""
    other = await stage.start_worker()
    body = await tokens(worker, people, client_id)
    grant = await worker.authorize(client_id)
    await people.approve(grant.body["user_code"])
    await ClientRevocations(worker.parts.connection).revoke(client_id)
    for each in (worker, other):
        await until(lambda each=each: each.parts.client_revocations.ends(client_id, 0))  # type: ignore[misc]
        assert await introspect(each, body["access_token"]) == INACTIVE
        assert (await userinfo(each, f"Bearer {body['access_token']}")).outcome == INVALID_TOKEN
        if "refresh_token" in body:
            assert await introspect(each, body["refresh_token"]) == INACTIVE
            refreshed = await each.refresh(body["refresh_token"], client_id)
            assert refreshed.outcome == INVALID_GRANT
        polled = await each.poll(grant.body["device_code"], client_id)
        assert polled.outcome == ACCESS_DENIED
    assert (await worker.parts.devices.of("sub-ada")).devices == []


async def test_a_client_goes_on_after_its_revocation(
    worker: Worker, people: People, until: Until, clock: Clock
) -> None:
    await ClientRevocations(worker.parts.connection).revoke("tv-app")
    await until(lambda: worker.parts.client_revocations.ends("tv-app", 0))
    clock.advance(100)
    body = await tokens(worker, people)
    assert (await introspect(worker, body["access_token"]))["active"] is True
    assert (await worker.refresh(body["refresh_token"])).status == 200


async def test_other_clients_are_not_touched(worker: Worker, people: People, until: Until) -> None:
    body = await tokens(worker, people)
    await ClientRevocations(worker.parts.connection).revoke("opaque")
    await until(lambda: worker.parts.client_revocations.ends("opaque", 0))
    assert (await worker.refresh(body["refresh_token"])).status == 200


async def test_tokens_cost_the_lists_nothing(worker: Worker, people: People, clock: Clock) -> None:
    """A redemption does not touch a list of devices, and a refresh once a day."""
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    with touched(worker) as keys:
        body = (await worker.poll(grant.body["device_code"])).body
    assert keys
    assert not lists_in(keys)
    for expected in (True, False, False):
        clock.advance(100)
        with touched(worker) as keys:
            body = (await worker.refresh(body["refresh_token"])).body
        assert bool(lists_in(keys)) is expected


@contextmanager
def touched(worker: Worker) -> Iterator[list[str]]:
    """Collect what the commands of a worker name meanwhile."""
    shape, found = worker.parts.connection.shape, list[str]()
    run = shape.run

    async def watched(commands: Sequence[Command]) -> list[object]:
        found.extend(str(part) for command in commands for part in command)
        return await run(commands)

    with mock.patch.object(shape, "run", watched):
        yield found


def lists_in(keys: list[str]) -> list[str]:
    return [key for key in keys if key.startswith(("df:d:", "df:da:", "df:de:"))]
