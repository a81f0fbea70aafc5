"""Passwords: made into Argon2id hashes, and checked against those of accounts.

Checking one takes a seventh of a second and 64 MiB, so it happens in a thread of its own
(`hashing`), never on the event loop.

Passwords are taken in every spelling (`core.precis`). A hash of a password as it was typed goes on
working: what was typed is tried, too.
"""

from collections.abc import Sequence
from functools import partial

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from deviceflow.core.precis import prepare_password, prepare_username, spellings
from deviceflow.store.accounts import Account
from deviceflow.store.hashing import ANYBODY, HashingQueue, Sender
from deviceflow.store.password_costs import PasswordCosts, cost_of_hash

HASHER = PasswordHasher(parallelism=1)
"""Makes the hashes, from 64 MiB in three passes.

In one lane: the library starts a thread for each lane twelve times in a check, and polls wait
until those have had their turns (docs/performance.md).
"""


class Passwords:
    """Hashes and checks passwords in a thread. `costs`: what checking one costs for accounts."""

    def __init__(self, costs: PasswordCosts) -> None:
        self.queue = HashingQueue()
        self._hasher = HASHER
        self._costs = costs

    async def hash(self, password: str) -> str:
        """Return the Argon2id hash of a password, prepared if its profile allows it."""
        prepared = prepare_password(password) or password
        return await self.queue.run(ANYBODY, partial(self._hasher.hash, prepared))

    async def right_spelling(
        self, account: Account | None, username: str, password: str, sender: Sender
    ) -> str | None:
        """Return the spelling of `password` that the account has; None if it has none of them.

        Also None without an account, and for a disabled one. The cost does not tell these cases
        apart: for an unknown `username`, it checks a hash with parameters that accounts have
        (`password_costs`), and a wrong password is tried in each spelling.

        May raise HashingBusy, SenderGone: the password was not checked.
        """
        decoy = await self._costs.decoy(prepare_username(username) or username, self._hasher)
        has_hash = account is not None and cost_of_hash(account.password_hash) is not None
        expected = account.password_hash if account and has_hash else decoy
        tried = spellings(password, prepare_password(password))[::-1]
        may_match = account is not None and not account.disabled
        return await self.queue.run(
            sender, partial(self._right_one, expected, tried, may_match=may_match)
        )

    def is_outdated(self, password_hash: str, password: str) -> bool:
        """Return whether today's hash of `password` has other parameters, or another spelling."""
        prepared = prepare_password(password) or password
        return self._hasher.check_needs_rehash(password_hash) or prepared != password

    def close(self) -> None:
        """End the thread."""
        self.queue.close()

    def _right_one(self, expected: str, tried: Sequence[str], *, may_match: bool) -> str | None:
        """Return the first of the passwords that has the hash, None if none has.

        Without `may_match`, none counts as the right one, and all are tried.
        """
        matches = (each for each in tried if self._matches(expected, each) and may_match)
        return next(matches, None)

    def _matches(self, expected: str, password: str) -> bool:
        try:
            return self._hasher.verify(expected, password)
        except (Argon2Error, InvalidHashError):
            return False
