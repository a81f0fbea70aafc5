"""Check a password that was typed on a page, after the attempt was counted."""

from dataclasses import dataclass
from functools import partial

from deviceflow.callers import has_hung_up
from deviceflow.core.address import rate_key, site_key
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitor
from deviceflow.policy.tries import Try
from deviceflow.store.accounts import Account
from deviceflow.store.hashing import HashingBusy, Sender, SenderGone
from deviceflow.store.users import Users


@dataclass(frozen=True, kw_only=True)
class PasswordCheck:
    """Checks passwords, in the visitors' turns."""

    users: Users
    throttle: Throttle
    recorder: Recorder

    async def account_of(
        self, visitor: Visitor, attempt: Try, username: str, password: str
    ) -> Account | None:
        """Return the account with that password; only then the attempt is taken back.

        May raise HashingBusy: too many wait, and as nothing was checked, the attempt is taken back.
        May raise SenderGone. Then the attempt stays: otherwise nothing would limit a stranger who
        never waits for an answer.
        """
        address = visitor.address
        has_gone = partial(has_hung_up, visitor.request)
        sender = Sender(rate_key(address), has_gone, site_key(address))
        try:
            account = await self.users.verify(username, password, sender)
        except HashingBusy:
            await attempt.forgive()
            self.throttle.note_busy(visitor.address)
            raise
        except SenderGone:
            self.recorder.count(table.SIGN_INS, "abandoned")
            raise
        if account is not None:
            await attempt.forgive()
        return account
