"""What a person has access with, for the commands: devices, and browsers that are signed in."""

import time
from dataclasses import dataclass
from typing import Self, Unpack

from deviceflow.audit.events import Facts, SecurityEvent
from deviceflow.cli.auditing import record_ended_access
from deviceflow.config import Settings
from deviceflow.store.accounts import Account
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.connection import Connection
from deviceflow.store.device_index import DeviceIndex
from deviceflow.store.devices import Devices
from deviceflow.store.families import Families
from deviceflow.store.grants import Grants
from deviceflow.store.mirror import Mirror
from deviceflow.store.opening import open_installation
from deviceflow.store.person_access import EndedAccess, PersonAccess
from deviceflow.store.sessions import Sessions
from deviceflow.store.slots import Slots
from deviceflow.store.users import Users


@dataclass(frozen=True, kw_only=True)
class UserAccess:
    """The doors to devices and sessions, as a worker has them.

    The methods that end something say in a line what it was.
    """

    settings: Settings
    connection: Connection
    devices: Devices
    access: PersonAccess

    @classmethod
    async def open(cls, settings: Settings, connection: Connection, users: Users) -> Self:
        """Open them. May raise StoreUnavailable."""
        installation, clock = await open_installation(settings, connection), time.time
        idle_s = settings.tokens.refresh_token_idle_s
        index = DeviceIndex(connection, installation, idle_s, clock)
        slots = Slots(connection, clock)
        grants = Grants(connection, installation, Mirror(), slots, index, clock)
        families = Families(connection, installation, idle_s, clock)
        revocations = ClientRevocations(connection)
        await revocations.read()
        devices = Devices(connection, installation, index, grants, families, revocations, clock)
        sessions = Sessions(connection, installation, settings.pages.session_lifetime_s)
        access = PersonAccess(users=users, sessions=sessions, devices=devices)
        return cls(settings=settings, connection=connection, devices=devices, access=access)

    async def end(self, account: Account) -> str:
        """End all access, listed or not."""
        return _line(await self.access.end(account))

    async def end_listed(self, sub: str) -> str:
        """End the listed access of a person whose account is gone."""
        return _line(await self.access.end_listed(sub))

    async def sign_out(self, account: Account) -> str:
        """End the sessions."""
        return f"signed out {_number(await self.access.sign_out(account), 'browser')}"

    async def record(self, event: SecurityEvent, **facts: Unpack[Facts]) -> None:
        """Record what ended. May raise StoreUnavailable."""
        await record_ended_access(self.settings, self.connection, event, **facts)


def _line(ended: EndedAccess) -> str:
    devices, browsers = _number(ended.devices, "device"), _number(ended.browsers, "browser")
    return f"disconnected {devices}; signed out {browsers}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
