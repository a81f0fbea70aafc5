"""Users, who may approve: from the configuration file, and from the store, which takes precedence.

A user whom `deviceflow users` has put into the store takes precedence over one of the same name
in the file. The marks that end sessions and devices (`account_marks`) hold for both.

Passwords are Argon2id hashes; checking one takes a tenth of a second and 64 MiB, so it happens in
a small pool of threads, never on the event loop.

Names and passwords are taken in every spelling (`core.precis`). A name that was stored as it was
typed, and a hash of a password as it was typed, go on working: what was typed is tried, too.
"""

import secrets
import time
from collections.abc import Iterable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from deviceflow.config import User
from deviceflow.core import base64url
from deviceflow.core.account_marks import NO_MARKS, AccountMarks
from deviceflow.core.claims import Subject
from deviceflow.core.clock import SteadyClock
from deviceflow.core.precis import prepare_password, prepare_username, spellings
from deviceflow.core.upstream_person import UpstreamSubject
from deviceflow.store import keyspace, scripts
from deviceflow.store.account_marks import (
    AccessKind,
    end_until_now,
    forget_marks,
    marks_in,
    reading,
)
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordContended, RecordUnreadable, SubjectTaken
from deviceflow.store.factors import remove_factors
from deviceflow.store.hashing import ANYBODY, HashingBusy, HashingQueue, Sender
from deviceflow.store.password_costs import Naming, PasswordCosts, any_name, cost_of_hash
from deviceflow.store.records import RecordKind, read_record, write_record
from deviceflow.store.sessions import Session
from deviceflow.store.shared_trips import SharedTrips

NO_PASSWORD = ""
"""The hash of a user who cannot sign in with a password: no password has it."""

_TRIES = 5
"""How often the server looks for a person whom other requests add at the same time."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person who can sign in. `sub`: the subject in tokens, which never changes.

    `password_hash`: empty for a person without a password. `upstream`: the people at providers as
    whom the person signs in (`links`). `marks`: what has been ended; stored beside the record.
    """

    username: str
    sub: str
    password_hash: str
    name: str | None = None
    email: str | None = None
    disabled: bool = False
    source: Literal["file", "store"] = "store"
    upstream: tuple[UpstreamSubject, ...] = ()
    marks: AccountMarks = NO_MARKS

    @property
    def file_credential(self) -> str:
        """What a session of a user of the file notes: it ends when the password there changes.

        Empty for a user of the store: a command has changed that password, and set a mark.
        """
        if self.source == "store":
            return ""
        digest = blake2b(self.password_hash.encode(), digest_size=9, person=b"df-file-cred")
        return base64url.encode(digest.digest())

    def allows_session(self, session: Session) -> bool:
        """Return whether a session still signs the person in."""
        is_same = self.sub == session.sub and not self.disabled
        # One side is empty for a user of the store, and in a session of an older version.
        own, noted = self.file_credential, session.credential
        has_same_password = not own or not noted or own == noted
        is_good = self.marks.allow_session(session.mark, session.auth_time)
        return is_same and has_same_password and is_good

    def allows(self, subject: Subject) -> bool:
        """Return whether what the person approved as `subject` still gives access."""
        is_same = self.sub == subject.sub and not self.disabled
        return is_same and self.marks.allow_device(subject.mark, subject.auth_time)


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
        self._from_file = {user.username: _account(user) for user in from_file}
        self._subjects = {user.sub: user.username for user in self._from_file.values()}
        self._shared_reads = SharedTrips(self._read_together)
        self._hasher = PasswordHasher()
        self._costs = PasswordCosts(
            connection,
            [account.password_hash for account in self._from_file.values()],
            naming,
            steady,
        )
        self.hashing = HashingQueue()
        self._prepared = {
            prepared: account
            for account in reversed(self._from_file.values())
            if (prepared := prepare_username(account.username))
        }

    async def find(self, username: str) -> Account | None:
        """Return the user of that name, or None."""
        return await self._first_of([username])

    async def find_typed(self, username: str) -> Account | None:
        """Return the user whose name a person types as `username`: that very name goes first."""
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
                account = _read(record)
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
        record = _record_of(account, over=before or b"")
        await self._connection.command("HSET", keyspace.SUBJECTS, account.sub, account.username)
        await self._connection.command("HSET", keyspace.USERS, account.username, record)

    async def change(self, before: Account | None, after: Account) -> bool:
        """Store a user, if nobody has changed it since it was read as `before` (None: not there).

        Both have the same name. A user of the file counts as not there: the store goes before it.
        """
        record = await self._connection.command("HGET", keyspace.USERS, after.username) or b""
        expected = _stored(before) if before is not None and before.source == "store" else None
        if (_read(record) if record else None) != expected:
            # A repetition finds its own success.
            return bool(record) and _read(record) == _stored(after)
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
        """Store an account if its record is still `record` (empty: none); say whether it was."""
        await self._connection.command("HSET", keyspace.SUBJECTS, account.sub, account.username)
        after = _record_of(account, over=record)
        return await self._replace(keyspace.USERS, account.username, record, after)

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

        The cost does not tell whether there is such a user: for an unknown one, it checks a hash
        with parameters that accounts have (`password_costs`), and a wrong password is tried in each
        spelling. A stored hash with other parameters than today's is replaced.

        May raise HashingBusy, SenderGone: the password was not checked.
        """
        account = await self.find_typed(username)
        decoy = await self._costs.decoy(prepare_username(username) or username, self._hasher)
        has_hash = account is not None and cost_of_hash(account.password_hash) is not None
        expected = account.password_hash if account and has_hash else decoy
        tried = spellings(password, prepare_password(password))[::-1]
        may_match = account is not None and not account.disabled
        work = partial(self._right_one, expected, tried, may_match=may_match)
        spelling = await self.hashing.run(sender, work)
        if account is None or spelling is None:
            return None
        return await self._refreshed(account, spelling)

    async def may_sign_in(self, subject: Subject) -> bool:
        """Return whether the person who approved something is still a user, and not disabled."""
        account = await self.find(subject.username)
        return account is not None and account.allows(subject)

    async def admit(self, subject: Subject) -> Subject | None:
        """Return a person whom another system has signed in, if the person may approve something.

        The subject has the account's mark. A person that is unknown here becomes a user without a
        password, who cannot sign in with one. May raise SubjectTaken, RecordContended.
        """
        for _ in range(_TRIES):
            account = await self.find(subject.username)
            if account is not None:
                if account.sub != subject.sub:
                    raise SubjectTaken
                marked = msgspec.structs.replace(subject, mark=account.marks.devices)
                return None if account.disabled else marked
            # If another request is faster, its account is looked at.
            await self._add(subject)
        raise RecordContended("a person is being added and removed at the same time")

    async def _add(self, subject: Subject) -> None:
        """Add a person whom another system knows, unless there is such a user by now.

        May raise SubjectTaken.
        """
        username, sub = subject.username, subject.sub
        taken = await self._connection.command("HGET", keyspace.SUBJECTS, sub) or b""
        owner = await self.find_subject(sub)
        if owner is not None and owner.username == username:
            return
        if owner is not None:
            raise SubjectTaken
        # Without an owner, the entry is of an account that is gone, or that is being added.
        is_own = await self._replace(keyspace.SUBJECTS, sub, taken, username.encode())
        account = Account(
            username=username,
            sub=sub,
            password_hash=NO_PASSWORD,
            name=subject.name,
            email=subject.email,
        )
        if is_own and not await self._replace(keyspace.USERS, username, b"", _record_of(account)):
            faster = await self.find(username)
            if faster is None or faster.sub != sub:
                await self._connection.command("HDEL", keyspace.SUBJECTS, sub)

    async def _replace(self, key: str, field: str, before: bytes, after: bytes) -> bool:
        """Change a field unless it has changed (empty: it is not there); say whether it was."""
        return await scripts.change_field(self._connection, key, field, before=before, after=after)

    async def hash(self, password: str) -> str:
        """Return the Argon2id hash of a password, prepared if its profile allows it."""
        prepared = prepare_password(password) or password
        return await self.hashing.run(ANYBODY, partial(self._hasher.hash, prepared))

    def close(self) -> None:
        """End the threads."""
        self.hashing.close()

    async def _first_of(self, names: Sequence[str]) -> Account | None:
        """Return the first of these users that there is, with its marks.

        In one round trip, which all that look for users at the moment share.
        """
        records, marks = await self._shared_reads.send(names)
        for name, record, its_marks in zip(names, records, marks_in(marks), strict=True):
            account = self._from_file.get(name) if record is None else _read(record)
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
        prepared = prepare_password(password) or password
        is_old = self._hasher.check_needs_rehash(account.password_hash) or prepared != password
        if account.source == "file" or not is_old:
            return account
        record = await self._connection.command("HGET", keyspace.USERS, account.username)
        if record is None or _read(record) != _stored(account):
            return account  # it has changed in the meantime
        try:
            hashed = await self.hash(password)
        except HashingBusy:
            return account  # the next sign-in tries again
        renewed = msgspec.structs.replace(account, password_hash=hashed)
        after = _record_of(renewed, over=record)
        is_stored = await self._replace(keyspace.USERS, account.username, record, after)
        return renewed if is_stored else account

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


def _read(record: bytes) -> Account:
    try:
        return read_record(record, RecordKind.USER, Account)
    except RecordUnreadable as error:
        raise RecordUnreadable(
            f"the record of a user cannot be read: {error}. To go on, run the version that wrote it"
        ) from error


def _stored(account: Account) -> Account:
    """Return an account as its record has it."""
    return msgspec.structs.replace(account, source="store", marks=NO_MARKS)


def _record_of(account: Account, over: bytes = b"") -> bytes:
    return write_record(_stored(account), over=over, without={"marks"})


def _is_readable(record: bytes) -> bool:
    try:
        _read(record)
    except RecordUnreadable:
        return False
    return True


def new_subject(username: str) -> str:
    """Return a subject for a user of the file: stable, and distinct from all client ids."""
    digest = blake2b(username.encode(), digest_size=12, person=b"df-subject").hexdigest()
    return f"user_{digest}"


def _account(user: User) -> Account:
    return Account(
        username=user.username,
        sub=user.sub or new_subject(user.username),
        password_hash=user.password_hash,
        name=user.name,
        email=user.email,
        disabled=user.disabled,
        source="file",
    )
