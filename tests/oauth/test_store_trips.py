"""The round trips to the store that a device's requests take: no number of them grows unnoticed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha1
from importlib.resources import files
from unittest import mock

from deviceflow.store import keyspace, scripts
from deviceflow.store.scripts.lua import source
from deviceflow.store.shapes import Command
from tests.stage.oauth import People, Worker
from tests.stage.proving import tokens

CATCH_UP = {"XRANGE", "HGET", "GET", f"SET {keyspace.PROBE}"}
"""What a worker asks once a second, whatever devices do. No request below sends any of these."""

SCRIPTS = {
    sha1(source(path.name.removesuffix(".lua")).encode(), usedforsecurity=False).hexdigest(): (
        path.name.removesuffix(".lua")
    )
    for path in files(scripts).iterdir()
    if path.name.endswith(".lua")
}


async def test_a_start_takes_three_trips(worker: Worker) -> None:
    """The limits, then a number, then the grant with its user code: each needs the one before."""
    await worker.authorize()
    with trips_of(worker) as trips:
        assert (await worker.authorize()).status == 200
    assert trips == [["admit_starts"], ["take_slots"], ["SET", "create_grant"]]


async def test_a_redemption_takes_five_trips(worker: Worker, people: People) -> None:
    """The grant, the person, the hint, the change with the family, and the push."""
    for _ in range(2):
        grant = await worker.authorize()
        await people.approve(grant.body["user_code"])
        with trips_of(worker) as trips:
            assert (await worker.poll(grant.body["device_code"])).status == 200
    assert trips == [
        ["HGETALL"],
        ["HMGET", "HMGET"],
        ["XADD", "EXPIRE"],
        ["transition"],
        ["PUBLISH"],
    ]


async def test_a_refresh_takes_four_trips(worker: Worker, people: People) -> None:
    """The family, a mark of its end, the person, the rotation; once a day the list of devices."""
    # The first device has all scripts loaded.
    await worker.refresh((await tokens(worker, people))["refresh_token"])
    body = await tokens(worker, people)
    expected = [["HMGET"], ["EXISTS"], ["HMGET", "HMGET"], ["rotate_refresh_token"]]
    for listing in ([["list_device"]], []):
        with trips_of(worker) as trips:
            body = (await worker.refresh(body["refresh_token"])).body
        assert trips == [*expected[:3], *listing, *expected[3:]]


@contextmanager
def trips_of(worker: Worker) -> Iterator[list[list[str]]]:
    """Collect the trips of a worker meanwhile: the names of their commands and scripts."""
    shape, trips = worker.parts.connection.shape, list[list[str]]()
    run = shape.run

    async def watched(commands: Sequence[Command]) -> list[object]:
        names = [_name(command) for command in commands]
        if sent := [name for name in names if name not in CATCH_UP]:
            trips.append(sent)
        return await run(commands)

    with mock.patch.object(shape, "run", watched):
        yield trips


def _name(command: Command) -> str:
    name = str(command[0])
    if name == "EVALSHA":
        return SCRIPTS[str(command[1])]
    return f"SET {keyspace.PROBE}" if command[:2] == ("SET", keyspace.PROBE) else name
