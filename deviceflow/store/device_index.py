"""Which devices a person has connected: a list for each person, kept beside the grants.

An approval lists the device before it changes the grant, so no device has tokens and is on no
list. From then on the list needs no write when tokens are given: whether the device still has
access, and when it last used it, is read off the grant and its family (`devices`). An entry ends by
itself, later than the access can. A refresh moves that end, at most once a day.

A person's three keys share a hash tag, which is a keyed hash of the subject.
"""

from collections.abc import Sequence

import msgspec

from deviceflow.core.clock import Clock
from deviceflow.store import keyspace, scripts
from deviceflow.store.access_tokens import LONGEST_LIFE_S
from deviceflow.store.connection import Connection
from deviceflow.store.families import PresentedRefreshToken
from deviceflow.store.installation import Installation
from deviceflow.store.records import RecordKind, read_record, write_record

RELIST_AFTER_S = 86_400
"""How long the end of an entry may lag behind the use of its refresh tokens."""

SWEPT = 16
"""How many ended entries leave a list when one is added."""


class DeviceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a device when it is approved. Times in s.

    `grant`: the id of the grant, empty if an older version approved it. `device`: a stored
    `DeviceDescription`. `address`: where the device asked. `approved_from`: where the person was.
    `name`: what the person calls it.
    """

    client_id: str
    scope: str
    approved_at: int
    grant: str = ""
    device: str = ""
    address: str = ""
    approved_from: str = ""
    name: str = ""


class DeviceIndex:
    """The lists of devices. Every coroutine may raise StoreUnavailable.

    A device has the name that its grant has (`Grants.family_name`). `idle_s`: how long a refresh
    token may lie unused.
    """

    def __init__(
        self, connection: Connection, installation: Installation, idle_s: int, clock: Clock
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._idle_s = idle_s
        self._clock = clock

    async def add(self, sub: str, name: str, entry: DeviceEntry, redeemable_until: int) -> None:
        """List a device of the person `sub`. Its code can be redeemed until then, in s."""
        await self._list(sub, name, entry, redeemable_until + self._idle_s)

    async def relist(self, name: str, presented: PresentedRefreshToken) -> int:
        """List a device for longer, before its refresh token is used, if it is time for that.

        Return when (s); 0 if it was not time. A device that is on no list, because an older version
        approved it, is listed with what its family knows.
        """
        now, family = int(self._clock()), presented.family
        if now - presented.listed_at < RELIST_AFTER_S:
            return 0
        entry = DeviceEntry(
            client_id=family.client_id, scope=family.scope, approved_at=family.issued_at
        )
        await self._list(
            family.subject.sub, name, entry, min(family.expires_at, now + self._idle_s)
        )
        return now

    async def get(self, sub: str, name: str) -> DeviceEntry | None:
        """Return the entry of that name, or None."""
        record = await self._connection.command("HGET", self._keys(sub).records, name)
        return None if record is None else _read(record)

    async def rename(self, sub: str, name: str, own_name: str) -> bool:
        """Note what the person calls a device; return False if it is not listed."""
        key = self._keys(sub).records
        record = await self._connection.command("HGET", key, name)
        if record is None:
            return False
        renamed = msgspec.structs.replace(_read(record), name=own_name)
        return await scripts.change_field(
            self._connection, key, name, before=record, after=write_record(renamed, over=record)
        )

    async def names(self, sub: str, first: int, count: int) -> list[str]:
        """Return the names of `count` devices after the first `first`, newest first."""
        names = await self._connection.command(
            "ZRANGE", self._keys(sub).by_age, first, first + count - 1, "REV"
        )
        return [name.decode() for name in names]

    async def entries(self, sub: str, names: Sequence[str]) -> dict[str, DeviceEntry]:
        """Return the entries of those that are listed, by name."""
        if not names:
            return {}
        records = await self._connection.command("HMGET", self._keys(sub).records, *names)
        found = zip(names, records, strict=True)
        return {name: _read(record) for name, record in found if record is not None}

    async def count(self, sub: str) -> int:
        """Return how many devices are listed."""
        return int(await self._connection.command("ZCARD", self._keys(sub).by_age))

    async def remove(self, sub: str, names: Sequence[str]) -> None:
        """Take devices off the list."""
        if names:
            keys = self._keys(sub)
            await self._connection.batch(
                ("HDEL", keys.records, *names),
                ("ZREM", keys.by_age, *names),
                ("ZREM", keys.by_end, *names),
            )

    async def _list(self, sub: str, name: str, entry: DeviceEntry, access_ends_at: int) -> None:
        # Access tokens outlive a family, and the next entry may come a day late.
        until = access_ends_at + LONGEST_LIFE_S + RELIST_AFTER_S
        listing = scripts.DeviceListing(
            name, write_record(entry), entry.approved_at * 1000, until * 1000
        )
        await scripts.list_device(self._connection, self._keys(sub), listing, swept=SWEPT)

    def _keys(self, sub: str) -> scripts.DeviceKeys:
        person = person_name(self._installation, sub)
        return scripts.DeviceKeys(
            keyspace.devices(person),
            keyspace.devices_by_age(person),
            keyspace.devices_by_end(person),
        )


def person_name(installation: Installation, sub: str) -> str:
    """Return the name of a person in keys, which does not reveal the subject."""
    return installation.name(b"person", sub.encode())


def _read(record: bytes) -> DeviceEntry:
    return read_record(record, RecordKind.DEVICE, DeviceEntry)
