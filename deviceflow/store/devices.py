"""The devices of a person: what has access now, since when, and how that ends.

`device_index` says which devices a person has approved. The grant, its family of refresh tokens and
the mark of a revocation say what became of each. So the list has only devices with access, however
others ended: disconnected here, revoked by the client, replayed, expired or never redeemed.

The grant, its family and its living access token have one hash tag, so one script reads them as
they are at one moment. If the grant can no longer be redeemed, missing tokens stay missing, and the
entry can go.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from deviceflow.core.clock import Clock
from deviceflow.core.grant import Event, State
from deviceflow.store import keyspace, scripts
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.client_revocations import REVOCATION_SKEW_S, ClientRevocations
from deviceflow.store.connection import Connection
from deviceflow.store.device_index import DeviceEntry, DeviceIndex
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.families import Families, Family
from deviceflow.store.grants import Grants
from deviceflow.store.installation import Installation
from deviceflow.store.records import RecordKind, read_record

DEVICES_ON_A_PAGE = 20
"""Devices on a page."""

_AT_ONCE = 64
"""Devices that are looked at, or disconnected, at the same time."""


class ConnectedDevice(NamedTuple):
    """A device that has access, or will have it once it redeems its code. Times in s.

    `grant_id`: the id that its tokens share. `used_at`: when it last received tokens, or was
    approved. `ends_at`: when the access ends at the latest. `is_waiting`: it has no tokens yet.
    """

    grant_id: str
    entry: DeviceEntry
    used_at: int
    ends_at: int
    is_waiting: bool = False


class DevicePage(NamedTuple):
    """A page of devices, newest first. `number`: from 1. `total`: devices on all pages."""

    devices: list[ConnectedDevice]
    number: int
    total: int

    @property
    def is_last(self) -> bool:
        """Whether no page follows."""
        return self.number * DEVICES_ON_A_PAGE >= self.total


class _Access(NamedTuple):
    """What a device has at the moment. `is_over`: for good, so that its entry can go.

    `approved_at`: by the store's clock, while it waits. `issued_at`: of its family, if it has one.
    """

    is_over: bool = False
    is_waiting: bool = False
    used_at: int = 0
    ends_at: int = 0
    approved_at: float = 0
    issued_at: int | None = None


_OVER = _Access(is_over=True)
_UNDECIDED = _Access()


class Devices:
    """The door to the devices of people. Every coroutine may raise StoreUnavailable."""

    def __init__(
        self,
        connection: Connection,
        installation: Installation,
        index: DeviceIndex,
        grants: Grants,
        families: Families,
        revocations: ClientRevocations,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._index = index
        self._grants = grants
        self._families = families
        self._revocations = revocations
        self._access_tokens = AccessTokens(connection)
        self._clock = clock

    async def of(self, sub: str, number: int = 1) -> DevicePage:
        """Return a page of the devices of a person. Those that have ended leave the list.

        However many have ended in front of those that live, the page is full: otherwise it would
        say that no device is connected.
        """
        first, at_once = (number - 1) * DEVICES_ON_A_PAGE, DEVICES_ON_A_PAGE
        while True:
            names = await self._index.names(sub, first, at_once)
            devices, ended = await self._living(sub, names)
            await self._index.remove(sub, ended)
            if not ended or len(devices) >= DEVICES_ON_A_PAGE:
                break
            at_once = _AT_ONCE
        return DevicePage(devices[:DEVICES_ON_A_PAGE], number, await self._index.count(sub))

    async def get(self, sub: str, grant_id: str) -> ConnectedDevice | None:
        """Return one device of a person, or None if it has no access."""
        name = self._installation.unseal(grant_id)
        devices = (await self._living(sub, [name]))[0] if name else []
        return devices[0] if devices else None

    async def rename(self, sub: str, grant_id: str, own_name: str) -> bool:
        """Note what the person calls a device; return False if the person has no such device."""
        name = self._installation.unseal(grant_id)
        return name is not None and await self._index.rename(sub, name, own_name)

    async def disconnect(self, sub: str, grant_id: str) -> bool:
        """End the access of a device; return False if the person has no such device.

        Its refresh tokens end, and its access tokens wherever this server is asked. If it has not
        redeemed its code, the approval is taken back.
        """
        name = self._installation.unseal(grant_id)
        if name is None:
            return False
        entry = await self._index.get(sub, name)
        if entry is None or not (await self._end(sub, name, entry)).ends_at:
            return False
        await self._index.remove(sub, [name])
        return True

    async def disconnect_all(self, sub: str) -> int:
        """End the access of all devices of a person; return how many there were."""
        ended = passed_over = 0
        while names := await self._index.names(sub, passed_over, _AT_ONCE):
            entries = await self._index.entries(sub, names)
            found = await asyncio.gather(
                *(self._end(sub, name, entry) for name, entry in entries.items())
            )
            undecided = {
                name for name, each in zip(entries, found, strict=True) if each == _UNDECIDED
            }
            await self._index.remove(sub, [name for name in names if name not in undecided])
            ended += sum(access.ends_at > 0 for access in found)
            passed_over += len(undecided)
        return ended

    async def was_disconnected(self, grant_id: str) -> bool:
        """Return whether the access that a grant has given was ended, within the last day."""
        return await self._access_tokens.is_revoked(grant_id)

    def grant_id(self, grant: int) -> str:
        """Return the id that the tokens of a grant share."""
        return self._families.grant_id(self._grants.family_name(grant))

    async def _end(self, sub: str, name: str, entry: DeviceEntry) -> _Access:
        """End one device, and return what it had. Change nothing if it is not this person's.

        The cancellation comes first: after it, or after a redemption that was faster, the grant
        can give no more tokens. So the revocation finds all of them.
        """
        access = await self._access(sub, name)
        if not access.ends_at:
            return access
        if access.is_waiting:
            grant = await self._grants.get(int(entry.grant, 16))
            if grant is not None:
                await self._grants.decide(grant, Event.CANCEL)
        await self._families.revoke(self._families.grant_id(name))
        return access

    async def _living(
        self, sub: str, names: Sequence[str]
    ) -> tuple[list[ConnectedDevice], list[str]]:
        """Return the devices that have access, and the names of those that have ended."""
        entries = await self._index.entries(sub, names)
        found = await asyncio.gather(*(self._look(sub, name, entries.get(name)) for name in names))
        devices = [
            ConnectedDevice(
                grant_id=self._families.grant_id(name),
                entry=entries[name],
                used_at=access.used_at or entries[name].approved_at,
                ends_at=access.ends_at,
                is_waiting=access.is_waiting,
            )
            for name, access in zip(names, found, strict=True)
            if access.ends_at and name in entries
        ]
        ended = [name for name, access in zip(names, found, strict=True) if access.is_over]
        return devices, ended

    async def _look(self, sub: str, name: str, entry: DeviceEntry | None) -> _Access:
        """Return what a device has, unless it was revoked, or all devices of its client were."""
        if entry is None:
            return _OVER
        access, is_revoked = await asyncio.gather(
            self._access(sub, name), self._access_tokens.is_revoked(self._families.grant_id(name))
        )
        return _OVER if is_revoked or self._is_ended(entry, access) else access

    def _is_ended(self, entry: DeviceEntry, access: _Access) -> bool:
        """Return whether all grants of the client were ended, this one among them."""
        if not access.ends_at:
            return False
        if access.is_waiting:
            is_cancelled = self._grants.is_cancelled(entry.client_id, int(entry.grant, 16))
            ends = self._revocations.ends_approval(entry.client_id, access.approved_at)
            return ends or is_cancelled
        if access.issued_at is not None:
            return self._revocations.ends(entry.client_id, access.issued_at)
        # It has an access token without a family, and when that was issued is not known. If it was
        # approved well before the mark, it was redeemed before the mark, too.
        return self._revocations.ends(entry.client_id, entry.approved_at + 2 * REVOCATION_SKEW_S)

    async def _access(self, sub: str, name: str) -> _Access:
        """Return what the grant of that name gives to a device of `sub`."""
        keys = keyspace.grant(name), keyspace.family(name), keyspace.living(name)
        found = await scripts.read_device(self._connection, keys)
        state, is_own = found.state.decode(), found.account.decode() == sub
        if state == State.APPROVED and is_own and self._clock() < int(found.expires):
            approved_at = int(found.approved or 0) / 1000
            return _Access(is_waiting=True, ends_at=int(found.expires), approved_at=approved_at)
        if state in {State.PENDING, State.APPROVED}:
            # The approval may be on its way. The grant's key ends soon.
            return _UNDECIDED
        if found.family:
            return self._access_of_family(sub, found.family, int(found.used or 0))
        if found.living and found.living.decode() == sub:
            return _Access(ends_at=int(self._clock() + max(found.living_ms, 1000) / 1000))
        return _OVER

    def _access_of_family(self, sub: str, record: bytes, used_at: int) -> _Access:
        try:
            family = read_record(record, RecordKind.FAMILY, Family)
        except RecordUnreadable:
            # Of a later version: a host that runs it lists the device.
            return _UNDECIDED
        if family.subject.sub != sub:
            return _OVER
        return _Access(
            used_at=used_at or family.issued_at,
            ends_at=family.expires_at,
            issued_at=family.issued_at,
        )
