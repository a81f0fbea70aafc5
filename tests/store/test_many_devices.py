"""A person with 10,000 devices: a page costs what one of 20 costs, and all can be ended.

What is counted are the commands that the store answers, so a busy machine changes nothing.
"""

import asyncio

from deviceflow.store import keyspace
from deviceflow.store.device_index import DeviceEntry, person_name
from deviceflow.store.devices import DEVICES_ON_A_PAGE
from deviceflow.store.families import Family, RefreshToken, family_fields
from deviceflow.store.records import write_record
from tests.stage.store import ADA, LIFETIME_S, Store

DEVICES = 10_000
LISTED_AT_ONCE = 500

OF_OTHERS = {"ping", "info", "publish", "replconf", "client", "hello", "subscribe"}
"""What Sentinels, replicas and new connections send meanwhile."""


async def connect(store: Store, number: int, first: int = 0) -> list[RefreshToken]:
    """Store devices of Ada as their redemptions leave them; the first of them is the oldest.

    Each is its entry in the lists, and its family of refresh tokens. The grant has ended.
    """
    names = [store.grants.family_name(grant) for grant in range(first, first + number)]
    tokens = [RefreshToken.new(name) for name in names]
    for begin in range(0, number, LISTED_AT_ONCE):
        await list_together(store, names[begin : begin + LISTED_AT_ONCE], first + begin)
    await asyncio.gather(*(store_family(store, token) for token in tokens))
    return tokens


async def list_together(store: Store, names: list[str], first: int) -> None:
    person, now = person_name(store.installation, ADA.sub), int(store.clock())
    keys = [
        of(person) for of in (keyspace.devices, keyspace.devices_by_age, keyspace.devices_by_end)
    ]
    approved = range(now + first, now + first + len(names))
    records = [
        write_record(DeviceEntry(client_id="tv-app", scope="profile", approved_at=at))
        for at in approved
    ]
    until_ms = (now + 10 * LIFETIME_S) * 1000
    record_fields = [part for pair in zip(names, records, strict=True) for part in pair]
    by_age = [part for pair in zip(approved, names, strict=True) for part in pair]
    by_end = [part for name in names for part in (until_ms, name)]
    await store.connection.batch(
        ("HSET", keys[0], *record_fields),
        ("ZADD", keys[1], *by_age),
        ("ZADD", keys[2], *by_end),
        *(("EXPIRE", key, 10 * LIFETIME_S) for key in keys),
    )


async def store_family(store: Store, token: RefreshToken) -> None:
    family = Family(
        client_id="tv-app",
        scope="profile",
        subject=ADA,
        expires_at=int(store.clock()) + LIFETIME_S,
        issued_at=int(store.clock()),
    )
    fields = [part for pair in family_fields(family, token.hash).items() for part in pair]
    key = keyspace.family(token.name)
    await store.connection.batch(("HSET", key, *fields), ("EXPIRE", key, LIFETIME_S))


async def commands(store: Store) -> int:
    """How many commands the store has answered so far, those in scripts among them."""
    stats = await store.connection.everywhere("INFO", "commandstats")
    return sum(
        command["calls"]
        for each in stats.values()
        for name, command in each.items()
        if name.removeprefix("cmdstat_").split("|")[0] not in OF_OTHERS
    )


async def cost_of_page(store: Store, number: int) -> tuple[int, int]:
    """Devices on a page, and the commands that it takes."""
    before = await commands(store)
    page = await store.devices.of(ADA.sub, number)
    after = await commands(store)
    return len(page.devices), after - before


async def test_a_page_of_a_person_with_many_devices_costs_what_a_page_of_20_costs(
    store: Store,
) -> None:
    """The first, one in the middle and the last; the pages are in order, and none is missing."""
    await connect(store, DEVICES_ON_A_PAGE)
    await store.devices.of(ADA.sub)  # A script is sent in full once.
    of_few = await cost_of_page(store, 1)
    await connect(store, DEVICES - DEVICES_ON_A_PAGE, first=DEVICES_ON_A_PAGE)
    last = DEVICES // DEVICES_ON_A_PAGE
    assert {await cost_of_page(store, number) for number in (1, last // 2, last)} == {of_few}
    page = await store.devices.of(ADA.sub, last)
    assert (page.total, page.is_last) == (DEVICES, True)
    oldest = [store.devices.grant_id(grant) for grant in range(DEVICES_ON_A_PAGE)]
    assert [device.grant_id for device in page.devices] == oldest[::-1]


async def test_disconnect_all_ends_each_of_many_devices(store: Store) -> None:
    tokens = await connect(store, DEVICES)
    assert await store.devices.disconnect_all(ADA.sub) == DEVICES
    assert [key async for key in store.connection.keys(keyspace.family("*"))] == []
    assert len({key async for key in store.connection.keys(keyspace.revoked("*"))}) == DEVICES
    assert await store.families.find(tokens[0]) is None
    page = await store.devices.of(ADA.sub)
    assert (page.devices, page.total) == ([], 0)


async def test_devices_that_have_ended_hide_none_that_lives(store: Store) -> None:
    """A client was revoked: two thousand devices in front of one have no access any more."""
    await connect(store, 1)
    ended = await connect(store, 2000, first=1)
    keys = [keyspace.family(token.name) for token in ended]
    await asyncio.gather(*(store.connection.command("DEL", key) for key in keys))
    page = await store.devices.of(ADA.sub)
    assert [device.grant_id for device in page.devices] == [store.devices.grant_id(0)]
    assert page.total == 1
