"""What a person has access with, ended all at once: browsers that are signed in, and devices.

The account's mark comes first: one write, after which every worker refuses all of it (`users`).
What is on the lists is then ended one by one. So nothing is listed that has no access, and a host
of an older version, which knows no marks, refuses it too.
"""

from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from deviceflow.store.account_marks import EVERYTHING, AccessKind
from deviceflow.store.accounts import Account
from deviceflow.store.devices import Devices
from deviceflow.store.sessions import Session, Sessions
from deviceflow.store.users import Users


class EndedAccess(NamedTuple):
    """How many devices and browsers had access."""

    devices: int
    browsers: int


@dataclass(frozen=True, kw_only=True)
class PersonAccess:
    """Ends what people have access with. Its coroutines may raise StoreUnavailable."""

    users: Users
    sessions: Sessions
    devices: Devices

    async def sign_out(self, account: Account) -> int:
        """Sign a person out in all browsers; return how many there were."""
        await self.users.end_until_now(account, AccessKind.SESSIONS)
        return await self.sessions.end_all(account.sub)

    async def sign_out_elsewhere(
        self, account: Account, session_id: str, session: Session
    ) -> tuple[str, int]:
        """Sign a person out in all browsers but one; return its new session id, and how many."""
        marked = await self.users.end_until_now(account, AccessKind.SESSIONS)
        kept = await self.sessions.renew(session_id, replace(session, mark=marked.marks.sessions))
        return kept, await self.sessions.end_all(account.sub, besides=kept)

    async def disconnect_all(self, account: Account) -> int:
        """End the access of all devices of a person; return how many there were.

        An approval that has not been redeemed ends, too.
        """
        await self.users.end_until_now(account, AccessKind.DEVICES)
        return await self.devices.disconnect_all(account.sub)

    async def end(self, account: Account) -> EndedAccess:
        """End all of it, and return how much that was."""
        await self.users.end_until_now(account, *EVERYTHING)
        return await self.end_listed(account.sub)

    async def end_listed(self, sub: str) -> EndedAccess:
        """End what is on the lists: all that is left of a person whose account is gone."""
        devices = await self.devices.disconnect_all(sub)
        return EndedAccess(devices, await self.sessions.end_all(sub))
