"""What the audit says of a sign-in that failed.

People type passwords into the field for the name. So the name is only recorded as the account that
it belongs to, or as a keyed hash: equal names have equal hashes, and none can be read.
"""

from dataclasses import dataclass

from deviceflow.audit.events import TRIED_NAME, SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.pages.throttle import account_key
from deviceflow.store.installation import Installation
from deviceflow.store.users import Users


def tried_name(installation: Installation, name: str) -> str:
    """Return the hash by which the audit names `name`, if no account has it."""
    return installation.hidden_name(TRIED_NAME, account_key(name).encode())


@dataclass(frozen=True, kw_only=True)
class SignInFailures:
    """Records failures."""

    audit: Audit
    users: Users
    installation: Installation

    async def of_name(self, name: str, way: str, reason: str = "") -> None:
        """Record one by the name that was tried, empty for none. May raise StoreUnavailable."""
        account = await self.users.find_typed(name) if name else None
        if account is not None:
            self.of(account.sub, way, reason)
            return
        self.audit.record(
            SecurityEvent.SIGN_IN_FAILED,
            outcome="failure",
            way=way,
            reason=reason,
            tried_name=tried_name(self.installation, name) if name else "",
        )

    def of(self, sub: str, way: str, reason: str = "") -> None:
        """Record one of an account; `sub` is empty if it is not known which."""
        self.audit.record(
            SecurityEvent.SIGN_IN_FAILED, outcome="failure", way=way, reason=reason, sub=sub
        )
