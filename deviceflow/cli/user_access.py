"""What a person has access with, for the commands: devices, and browsers that are signed in."""

import time
from typing import NamedTuple, Self

from deviceflow.config import Settings
from deviceflow.start import open_installation
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.connection import Connection
from deviceflow.store.device_index import DeviceIndex
from deviceflow.store.devices import Devices
from deviceflow.store.families import Families
from deviceflow.store.grants import Grants
from deviceflow.store.mirror import Mirror
from deviceflow.store.sessions import Sessions
from deviceflow.store.slots import Slots


class UserAccess(NamedTuple):
    """The doors to devices and sessions, as a worker has them."""

    devices: Devices
    sessions: Sessions

    @classmethod
    async def open(cls, settings: Settings, connection: Connection) -> Self:
        """Open them. May raise StoreUnavailable."""
        installation, clock = await open_installation(settings, connection), time.time
        idle_s = settings.tokens.refresh_token_idle_s
        index = DeviceIndex(connection, installation, idle_s, clock)
        slots = Slots(connection, clock)
        grants = Grants(connection, installation, Mirror(), slots, index, clock)
        families = Families(connection, installation, idle_s, clock)
        revocations = ClientRevocations(connection)
        await revocations.read()
        return cls(
            Devices(connection, installation, index, grants, families, revocations, clock),
            Sessions(connection, installation, settings.pages.session_lifetime_s),
        )

    async def end(self, sub: str) -> str:
        """End all of it, and return a line that says how much that was."""
        devices = await self.devices.disconnect_all(sub)
        return f"disconnected {_number(devices, 'device')}; {await self.sign_out(sub)}"

    async def sign_out(self, sub: str) -> str:
        """End the sessions, and return a line that says how many there were."""
        return f"signed out {_number(await self.sessions.end_all(sub), 'browser')}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
