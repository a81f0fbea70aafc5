"""The devices of a person, on fakeredis and on a real server alike: listed, renamed, ended."""

import pytest

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store import keyspace
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.device_index import RELIST_AFTER_S, DeviceEntry
from deviceflow.store.devices import DEVICES_ON_A_PAGE, ConnectedDevice
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.families import RefreshToken
from deviceflow.store.grant_records import DecisionPage, Grant
from tests.stage.store import ADA, BOB, IDLE_S, LIFETIME_S, Store


async def connected(store: Store) -> tuple[Grant, RefreshToken]:
    """A device with a refresh token."""
    grant = await store.approved()
    token, redemption = store.redemption(grant)
    assert await store.grants.redeem(grant, redemption) is Outcome.CHANGED
    return grant, token


async def listed(store: Store, sub: str = ADA.sub) -> list[ConnectedDevice]:
    return (await store.devices.of(sub)).devices


async def test_an_approval_lists_the_device_at_once(each_store: Store) -> None:
    now = int(each_store.clock())
    grant = await each_store.approved()
    page = await each_store.devices.of(ADA.sub)
    assert (page.number, page.total, page.is_last) == (1, 1, True)
    (device,) = page.devices
    assert device == ConnectedDevice(
        grant_id=each_store.devices.grant_id(grant.id),
        entry=DeviceEntry(
            client_id="tv-app",
            scope="openid profile",
            approved_at=now,
            grant=f"{grant.id:x}",
            device="NebulaTV 4.2",
            address="203.0.113.7",
        ),
        used_at=now,
        ends_at=grant.expires_at,
        is_waiting=True,
    )
    assert await listed(each_store, BOB.sub) == []


async def test_it_stays_listed_when_it_has_tokens(each_store: Store) -> None:
    _, token = await connected(each_store)
    (device,) = await listed(each_store)
    assert not device.is_waiting
    assert device.ends_at == int(each_store.clock()) + 5000
    each_store.clock.advance(100)
    presented = await each_store.families.find(token)
    assert presented is not None
    assert await each_store.families.rotate(token, presented.family) is not None
    (device,) = await listed(each_store)
    assert device.used_at == int(each_store.clock())


async def test_where_the_person_was_is_noted(each_store: Store) -> None:
    grant = await each_store.grant()
    assert await each_store.grants.claim(grant, ADA.sub) is Outcome.CHANGED
    await each_store.grants.decide(grant, Event.APPROVE, ADA, page=DecisionPage("198.51.100.4"))
    (device,) = await listed(each_store)
    assert device.entry.approved_from == "198.51.100.4"


async def test_a_device_without_refresh_token_is_listed_as_long_as_its_access_token_lives(
    store: Store,
) -> None:
    grant = await store.approved()
    ends_at = int(store.clock()) + 60
    assert await store.grants.redeem(grant, None, access_ends_at=ends_at) is Outcome.CHANGED
    (device,) = await listed(store)
    assert not device.is_waiting
    assert ends_at - 2 <= device.ends_at <= ends_at
    await store.connection.command("PEXPIRE", living_key(store, grant), 0)
    assert await listed(store) == []
    assert await store.device_index.count(ADA.sub) == 0


def living_key(store: Store, grant: Grant) -> str:
    return keyspace.living(store.grants.family_name(grant.id))


async def test_an_access_token_that_outlives_its_family_is_listed(store: Store) -> None:
    grant = await store.approved()
    _, redemption = store.redemption(grant)
    ends_at = int(store.clock()) + IDLE_S + 60
    assert await store.grants.redeem(grant, redemption, access_ends_at=ends_at) is Outcome.CHANGED
    await store.connection.command("DEL", keyspace.family(store.grants.family_name(grant.id)))
    (device,) = await listed(store)
    assert await store.devices.disconnect(ADA.sub, device.grant_id)
    assert await listed(store) == []


async def test_what_is_denied_or_pending_is_not_listed(each_store: Store) -> None:
    grant = await each_store.grant()
    assert await each_store.grants.claim(grant, ADA.sub) is Outcome.CHANGED
    assert await listed(each_store) == []
    assert await each_store.grants.decide(grant, Event.DENY, ADA) is Outcome.CHANGED
    assert await listed(each_store) == []


async def test_an_approval_that_is_on_its_way_is_not_swept(each_store: Store) -> None:
    """The list is written before the grant changes; a look in between must not undo that."""
    grant = await each_store.grant()
    assert await each_store.grants.claim(grant, ADA.sub) is Outcome.CHANGED
    await each_store.grants._list_device(grant, ADA.sub, None, "")
    assert await listed(each_store) == []
    assert await each_store.devices.disconnect_all(ADA.sub) == 0
    assert await each_store.grants.decide(grant, Event.APPROVE, ADA) is Outcome.CHANGED
    assert len(await listed(each_store)) == 1


async def test_an_approval_that_fails_lists_nothing(each_store: Store) -> None:
    """Somebody else's code: the entry comes first, but leads nowhere, and ends nothing."""
    grant = await each_store.approved(BOB)
    assert await each_store.grants.decide(grant, Event.APPROVE, ADA) is Outcome.CLAIMED
    assert await listed(each_store) == []
    grant_id = each_store.devices.grant_id(grant.id)
    assert not await each_store.devices.disconnect(ADA.sub, grant_id)
    token, redemption = each_store.redemption(grant)
    family = redemption.family.__class__(
        client_id="tv-app", scope="", subject=BOB, expires_at=redemption.family.expires_at
    )
    redemption = redemption._replace(family=family)
    assert await each_store.grants.redeem(grant, redemption) is Outcome.CHANGED
    assert await listed(each_store) == []
    assert not await each_store.devices.disconnect(ADA.sub, grant_id)
    assert await each_store.families.find(token) is not None
    assert [device.grant_id for device in await listed(each_store, BOB.sub)] == [grant_id]


async def test_without_the_list_there_is_no_approval(
    each_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = await each_store.grant()
    assert await each_store.grants.claim(grant, ADA.sub) is Outcome.CHANGED

    async def fail(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(each_store.device_index, "add", fail)
    with pytest.raises(StoreUnavailable):
        await each_store.grants.decide(grant, Event.APPROVE, ADA)
    assert (await each_store.read(grant)).state is State.PENDING


async def test_disconnecting_ends_the_tokens(each_store: Store) -> None:
    _, token = await connected(each_store)
    (device,) = await listed(each_store)
    assert await each_store.devices.disconnect(ADA.sub, device.grant_id)
    assert await each_store.families.find(token) is None
    assert await AccessTokens(each_store.connection).is_revoked(device.grant_id)
    assert await listed(each_store) == []
    assert await each_store.devices.was_disconnected(device.grant_id)
    assert not await each_store.devices.disconnect(ADA.sub, device.grant_id)


async def test_disconnecting_takes_an_approval_back(each_store: Store) -> None:
    grant = await each_store.approved()
    (device,) = await listed(each_store)
    assert await each_store.devices.disconnect(ADA.sub, device.grant_id)
    assert (await each_store.read(grant)).state is State.CANCELLED
    _, redemption = each_store.redemption(grant)
    assert await each_store.grants.redeem(grant, redemption) is Outcome.REFUSED
    assert each_store.mirror.state_of(grant.id) is State.CANCELLED


async def test_a_redemption_that_is_faster_ends_all_the_same(each_store: Store) -> None:
    """Between the look at the device and the cancellation, the device redeems its code."""
    grant = await each_store.approved()
    (device,) = await listed(each_store)
    token, redemption = each_store.redemption(grant)
    decide = each_store.grants.decide

    async def redeem_first(*arguments: object) -> Outcome:
        assert await each_store.grants.redeem(grant, redemption) is Outcome.CHANGED
        return await decide(*arguments)  # type: ignore[arg-type]

    each_store.grants.decide = redeem_first  # type: ignore[method-assign, assignment]
    assert await each_store.devices.disconnect(ADA.sub, device.grant_id)
    assert await each_store.families.find(token) is None
    assert await AccessTokens(each_store.connection).is_revoked(device.grant_id)


async def test_a_disconnection_that_failed_in_the_middle_can_be_finished(
    each_store: Store,
) -> None:
    _, token = await connected(each_store)
    (device,) = await listed(each_store)
    tag = device.grant_id[:16]
    await each_store.connection.command("SET", keyspace.revoked(tag), "1", "EX", 60)
    assert await each_store.devices.disconnect(ADA.sub, device.grant_id)
    assert await each_store.families.find(token) is None


async def test_only_its_person_can_disconnect_a_device(each_store: Store) -> None:
    _, token = await connected(each_store)
    (device,) = await listed(each_store)
    for grant_id in (device.grant_id, "", "x", "A" * 32, "é" * 32):
        assert not await each_store.devices.disconnect(BOB.sub, grant_id)
        assert not await each_store.devices.rename(BOB.sub, grant_id, "mine")
        assert await each_store.devices.get(BOB.sub, grant_id) is None
    assert await each_store.families.find(token) is not None


async def test_all_are_disconnected(each_store: Store) -> None:
    tokens = [(await connected(each_store))[1] for _ in range(3)]
    grant = await each_store.approved()
    await each_store.approved(BOB)
    assert await each_store.devices.disconnect_all(ADA.sub) == 4
    assert [await each_store.families.find(token) for token in tokens] == [None] * 3
    assert (await each_store.read(grant)).state is State.CANCELLED
    assert await listed(each_store) == []
    assert len(await listed(each_store, BOB.sub)) == 1


async def test_a_device_has_the_name_that_its_person_gives_it(each_store: Store) -> None:
    grant, token = await connected(each_store)
    grant_id = each_store.devices.grant_id(grant.id)
    assert await each_store.devices.rename(ADA.sub, grant_id, "Kitchen")
    presented = await each_store.families.find(token)
    assert presented is not None
    assert await each_store.device_index.relist(token.name, presented)
    device = await each_store.devices.get(ADA.sub, grant_id)
    assert device is not None
    assert device.entry.name == "Kitchen"
    assert device.entry.address == "203.0.113.7"


async def test_what_ended_elsewhere_leaves_the_list(each_store: Store) -> None:
    grant, token = await connected(each_store)
    await each_store.families.revoke(each_store.devices.grant_id(grant.id))
    other, other_token = await connected(each_store)
    await each_store.connection.command("DEL", keyspace.family(other_token.name))
    third, third_token = await connected(each_store)
    assert await each_store.families.find(third_token) is not None
    ids = [device.grant_id for device in await listed(each_store)]
    assert ids == [each_store.devices.grant_id(third.id)]
    assert await each_store.device_index.count(ADA.sub) == 1
    assert token != other_token
    assert grant != other


async def test_pages_are_full_and_in_order(store: Store) -> None:
    names = []
    for _ in range(DEVICES_ON_A_PAGE + 5):
        grant, _ = await connected(store)
        names.append(store.devices.grant_id(grant.id))
        store.clock.advance(1)
    for ended in names[-3:]:
        await store.families.revoke(ended)
    living = names[:-3][::-1]
    first = await store.devices.of(ADA.sub)
    assert [device.grant_id for device in first.devices] == living[:DEVICES_ON_A_PAGE]
    assert (first.total, first.is_last) == (DEVICES_ON_A_PAGE + 2, False)
    second = await store.devices.of(ADA.sub, 2)
    assert [device.grant_id for device in second.devices] == living[DEVICES_ON_A_PAGE:]
    assert second.is_last
    assert (await store.devices.of(ADA.sub, 3)).devices == []


async def test_the_list_is_renewed_once_a_day(each_store: Store) -> None:
    """So a refresh costs the store one command more a day, and none otherwise."""
    _, token = await connected(each_store)
    for expected in (True, False, False):
        presented = await each_store.families.find(token)
        assert presented is not None
        listed_at = await each_store.device_index.relist(token.name, presented)
        assert bool(listed_at) is expected
        successor = await each_store.families.rotate(token, presented.family, "", listed_at)
        assert successor is not None
        token = successor
        each_store.clock.advance(11)
    each_store.clock.advance(RELIST_AFTER_S)
    presented = await each_store.families.find(token)
    assert presented is not None
    assert await each_store.device_index.relist(token.name, presented) == int(each_store.clock())


async def test_a_device_of_an_older_version_is_listed_at_its_next_refresh(store: Store) -> None:
    _, token = await connected(store)
    for key in (keyspace.devices, keyspace.devices_by_age, keyspace.devices_by_end):
        (found,) = await store.connection.command("KEYS", key("*"))
        await store.connection.command("DEL", found)
    assert await listed(store) == []
    presented = await store.families.find(token)
    assert presented is not None
    assert await store.device_index.relist(token.name, presented)
    (device,) = await listed(store)
    assert (device.entry.client_id, device.entry.grant) == ("tv-app", "")
    assert await store.devices.disconnect(ADA.sub, device.grant_id)
    assert await store.families.find(token) is None


async def test_the_list_ends_after_the_access(store: Store) -> None:
    """However late the code is redeemed, and however late its tokens are used."""
    grant, _ = await connected(store)
    (key,) = await store.connection.command("KEYS", keyspace.devices("*"))
    lives_s = await store.connection.command("PTTL", key) / 1000
    assert lives_s > LIFETIME_S + IDLE_S + RELIST_AFTER_S
    ends = keyspace.devices_by_end(key.decode().partition("{")[2].rstrip("}"))
    name = store.grants.family_name(grant.id)
    await store.connection.command("ZADD", ends, 1, name)
    await store.approved()
    assert await store.device_index.count(ADA.sub) == 1, "an addition sweeps what has ended"
