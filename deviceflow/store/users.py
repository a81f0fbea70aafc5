"""Users, who may approve: from the configuration file, and from the store, which takes precedence.

A user whom `deviceflow users` has put into the store takes precedence over one of the same name
in the file. The marks that end sessions and devices (`account_marks`) hold for both.

Names are taken in every spelling (`core.precis`). A name that was stored as it was typed goes on
working: what was typed is tried, too. `accounts` has the records, `passwords` the hashes.
"""

import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from deviceflow.config import User
from deviceflow.core.claims import Subject
from deviceflow.core.clock import SteadyClock
from deviceflow.core.precis import prepare_username, spellings
from deviceflow.store import keyspace, scripts
from deviceflow.store.account_marks import (
    AccessKind,
    end_until_now,
    forget_marks,
    marks_in,
    reading,
)
from deviceflow.store.accounts import (
    NO_PASSWORD,
    Account,
    account_of_file,
    account_record,
    as_stored,
    read_account,
)
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.factors import remove_factors
from deviceflow.store.hashing import ANYBODY, HashingBusy, Sender
from deviceflow.store.password_costs import Naming, PasswordCosts, any_name
from deviceflow.store.passwords import Passwords
from deviceflow.store.shared_trips import SharedTrips


class UserList(NamedTuple):
    """All users, by name. `unreadable`: why the record of a name cannot be read, by that name."""

    accounts: list[Account]
    unreadable: dict[str, str]


class Users:
    """The door to users. Methods that read the store may raise StoreUnavailable.

    `naming`: as in `PasswordCosts`, for a server that checks passwords.
    """

    def __init__(
        self,
        connection: Connection,
        from_file: Iterable[User] = (),
        naming: Naming = any_name,
        steady: SteadyClock = time.monotonic,
    ) -> None:
        self._connection = connection
        self._from_file = {user.username: account_of_file(user) for user in from_file}
        self._subjects = {user.sub: user.username for user in self._from_file.values()}
        self._shared_reads = SharedTrips(self._read_together)
        costs = PasswordCosts(
            connection,
            [account.password_hash for account in self._from_file.values()],
            naming,
            steady,
        )
        self._passwords = Passwords(costs)
        self.hashing = self._passwords.queue
        self._prepared = {
            prepared: account
            for account in reversed(self._from_file.values())
            if (prepared := prepare_username(account.username))
        }

    async def find(self, username: str) -> Account | None:
        """Return the user of that name, or None."""
        return await self._first_of([username])

    async def find_typed(self, username: str) -> Account | None:
        """Return the user whose name a person types as `username`. An exact match goes first."""
        names = spellings(username, prepare_username(username))
        found = await self._first_of(names)
        if found is not None:
            return found
        account = self._prepared.get(names[-1])
        # A user of the store takes precedence over this one, too.
        return await self.find(account.username) if account else None

    async def find_subject(self, sub: str) -> Account | None:
        """Return the user with that subject, or None."""
        name = await self._connection.command("HGET", keyspace.SUBJECTS, sub)
        username = name.decode() if name else self._subjects.get(sub)
        account = await self.find(username) if username else None
        return account if account is not None and account.sub == sub else None

    async def all(self) -> UserList:
        """Return every user, without marks, and the names of those that cannot be read."""
        records = await self._connection.command("HGETALL", keyspace.USERS)
        accounts, unreadable = dict(self._from_file), {}
        for field, record in records.items():
            name = field.decode(errors="replace")
            try:
                account = read_account(record)
            except RecordUnreadable as error:
                # The user of the file with that name is not in force either.
                accounts.pop(name, None)
                unreadable[name] = str(error)
            else:
                accounts[account.username] = account
        by_name = sorted(accounts.values(), key=lambda account: account.username)
        return UserList(by_name, unreadable)

    async def put(self, account: Account) -> None:
        """Store a user, or change one."""
        before = await self._connection.command("HGET", keyspace.USERS, account.username)
        record = account_record(account, over=before or b"")
        await self._connection.command("HSET", keyspace.SUBJECTS, account.sub, account.username)
        await self._connection.command("HSET", keyspace.USERS, account.username, record)

    async def change(self, before: Account | None, after: Account) -> bool:
        """Store a user, if it is unchanged since it was read as `before` (None: not there).

        Both have the same name. A user of the file counts as not there: the store takes precedence.
        """
        record = await self._connection.command("HGET", keyspace.USERS, after.username) or b""
        expected = as_stored(before) if before is not None and before.source == "store" else None
        if (read_account(record) if record else None) != expected:
            # A repetition finds its own success.
            return bool(record) and read_account(record) == as_stored(after)
        return await self._store_over(record, after)

    async def create(self, username: str) -> Account | None:
        """Add an account without a password; return the one of that name if it is there by now.

        `username`: prepared (`core.precis`).
        """
        sub = f"user_{secrets.token_hex(12)}"
        account = Account(username=username, sub=sub, password_hash=NO_PASSWORD)
        is_new = await self._store_over(b"", account)
        if not is_new:
            await self._connection.command("HDEL", keyspace.SUBJECTS, sub)
        return account if is_new else await self.find(username)

    async def change_password(self, account: Account, password: str) -> bool:
        """Give an account another password; return False if it has changed since it was read."""
        hashed = await self.hash(password)
        record = await self._connection.command("HGET", keyspace.USERS, account.username) or b""
        if await self.find(account.username) != account:
            return False
        return await self._store_over(
            record, msgspec.structs.replace(account, password_hash=hashed)
        )

    async def _store_over(self, record: bytes, account: Account) -> bool:
        """Store an account if its record is still `record` (empty: none); return whether it was."""
        await self._connection.command("HSET", keyspace.SUBJECTS, account.sub, account.username)
        return await self._replace(record, account)

    async def end_until_now(self, account: Account, *ended: AccessKind) -> Account:
        """End the sessions or the devices of an account; return it with its new marks.

        Every worker refuses them from the next request on, whether they are on a list or not.
        """
        marks = await end_until_now(self._connection, account.username, ended)
        return msgspec.structs.replace(account, marks=marks)

    async def remove(self, account: Account) -> bool:
        """Remove a user from the store. Return False if it is not there."""
        for whose in account.upstream:
            await self._connection.command("HDEL", keyspace.LINKS, whose.digest)
        # The record first: without it, the subject leads to no user.
        is_removed = await self._connection.command("HDEL", keyspace.USERS, account.username)
        await self._connection.command("HDEL", keyspace.SUBJECTS, account.sub)
        if account.sub not in self._subjects:
            await remove_factors(self._connection, account.sub)
            await forget_marks(self._connection, account.username)
        return bool(is_removed)

    async def find_unreadable(self, username: str) -> str | None:
        """Return the stored name of the user that `find_typed` finds, if it cannot be read."""
        names = spellings(username, prepare_username(username))
        records = await self._connection.command("HMGET", keyspace.USERS, *names)
        for name, record in zip(names, records, strict=True):
            if record is not None or name in self._from_file:
                return name if record is not None and not _is_readable(record) else None
        return None

    async def remove_unreadable(self, name: str) -> bool:
        """Remove a user whose record cannot be read, by its stored name. False if it is gone."""
        is_removed = await self._connection.command("HDEL", keyspace.USERS, name)
        if name not in self._from_file:
            await forget_marks(self._connection, name)
        # The record has the subject, so it is found by the name that it leads to.
        subjects = await self._connection.command("HGETALL", keyspace.SUBJECTS)
        for sub, username in subjects.items():
            if username == name.encode():
                await self._connection.command("HDEL", keyspace.SUBJECTS, sub)
        return bool(is_removed)

    async def verify(
        self, username: str, password: str, sender: Sender = ANYBODY
    ) -> Account | None:
        """Return the user if that is the password and the user may sign in.

        The cost does not tell whether there is such a user. A stored hash with other parameters
        than today's is replaced. May raise HashingBusy, SenderGone: the password was not checked.
        """
        account = await self.find_typed(username)
        spelling = await self._passwords.right_spelling(account, username, password, sender)
        if account is None or spelling is None:
            return None
        return await self._refreshed(account, spelling)

    async def may_sign_in(self, subject: Subject) -> bool:
        """Return whether the person who approved something is still a user, and not disabled."""
        account = await self.find(subject.username)
        return account is not None and account.allows(subject)

    async def hash(self, password: str) -> str:
        """Return the Argon2id hash of a password, prepared if its profile allows it."""
        return await self._passwords.hash(password)

    def close(self) -> None:
        """End the thread that checks passwords."""
        self._passwords.close()

    async def _first_of(self, names: Sequence[str]) -> Account | None:
        """Return the first of these users that exists, with its marks.

        Callers that look for users at the same time share one round trip.
        """
        records, marks = await self._shared_reads.send(names)
        for name, record, its_marks in zip(names, records, marks_in(marks), strict=True):
            account = self._from_file.get(name) if record is None else read_account(record)
            if account is not None:
                return msgspec.structs.replace(account, marks=its_marks)
        return None

    async def _read_together(self, wanted: Sequence[Sequence[str]]) -> list[tuple[Any, Any]]:
        """Return the records and the marks of each list of names. All are in one hash slot."""
        answers = await self._connection.batch(
            *(
                command
                for names in wanted
                for command in (("HMGET", keyspace.USERS, *names), reading(names))
            )
        )
        return list(zip(answers[::2], answers[1::2], strict=True))

    async def _refreshed(self, account: Account, password: str) -> Account:
        """Hash the password with today's parameters if its stored hash has others.

        A user of the file stays as the file has it.
        """
        is_outdated = self._passwords.is_outdated(account.password_hash, password)
        if account.source == "file" or not is_outdated:
            return account
        record = await self._connection.command("HGET", keyspace.USERS, account.username)
        if record is None or read_account(record) != as_stored(account):
            return account  # it has changed in the meantime
        try:
            hashed = await self.hash(password)
        except HashingBusy:
            return account  # the next sign-in tries again
        renewed = msgspec.structs.replace(account, password_hash=hashed)
        return renewed if await self._replace(record, renewed) else account

    async def _replace(self, record: bytes, account: Account) -> bool:
        """Write an account in place of `record` (empty: none), if that is still the record.

        Return whether it was.
        """
        after = account_record(account, over=record)
        return await scripts.change_field(
            self._connection, keyspace.USERS, account.username, before=record, after=after
        )


def _is_readable(record: bytes) -> bool:
    try:
        read_account(record)
    except RecordUnreadable:
        return False
    return True
