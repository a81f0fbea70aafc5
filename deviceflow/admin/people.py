"""What operators do for a person: list the devices, end their access, end the sessions."""

from dataclasses import dataclass

import structlog

from deviceflow.audit.events import SecurityEvent, by_token
from deviceflow.audit.journal import Audit
from deviceflow.store.accounts import Account
from deviceflow.store.devices import DevicePage, Devices
from deviceflow.store.person_access import PersonAccess
from deviceflow.store.sessions import Sessions
from deviceflow.store.users import Users

BY_OPERATOR = "operator"

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class PeopleDesk:
    """Finds people and ends access. Its coroutines may raise StoreUnavailable.

    A person is known by the subject, also after the user was removed: the devices then have no
    access any more, but are listed until they end.
    """

    users: Users
    devices: Devices
    sessions: Sessions
    access: PersonAccess
    audit: Audit

    async def find(self, text: str) -> Account | None:
        """Return the user of that name, as a person types it, or of that subject."""
        if not text:
            return None
        return await self.users.find_typed(text) or await self.users.find_subject(text)

    async def devices_of(self, sub: str, number: int) -> DevicePage:
        """Return a page of the devices of a person."""
        return await self.devices.of(sub, number)

    async def disconnect(self, sub: str, device_id: str, operator: str) -> bool:
        """End the access of one device; return whether the person had it."""
        is_ended = await self.devices.disconnect(sub, device_id)
        if is_ended:
            log.info("device.disconnected", sub=sub, by=BY_OPERATOR, operator=operator)
            self.audit.record(
                SecurityEvent.DEVICE_DISCONNECTED,
                sub=sub,
                grant_id=device_id,
                by=by_token(operator),
            )
        return is_ended

    async def disconnect_all(self, sub: str, operator: str) -> int:
        """End the access of all devices; return how many there were."""
        account = await self.users.find_subject(sub)
        if account is None:
            number = await self.devices.disconnect_all(sub)
        else:
            number = await self.access.disconnect_all(account)
        log.info("devices.disconnected", sub=sub, devices=number, operator=operator)
        self.audit.record(
            SecurityEvent.DEVICE_DISCONNECTED, sub=sub, number=number, by=by_token(operator)
        )
        return number

    async def end_sessions(self, sub: str, operator: str) -> int:
        """Sign a person out of all browsers; return how many there were."""
        account = await self.users.find_subject(sub)
        if account is None:
            number = await self.sessions.end_all(sub)
        else:
            number = await self.access.sign_out(account)
        log.info("sessions.ended", sub=sub, sessions=number, operator=operator)
        self.audit.record(
            SecurityEvent.SESSION_ENDED, sub=sub, number=number, by=by_token(operator)
        )
        return number
