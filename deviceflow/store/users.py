"""Users, who may approve: from the configuration file, and from the store above it.

A user whom `deviceflow users` has put into the store takes precedence over one of the same name
in the file. Passwords are Argon2id hashes; checking one takes a tenth of a second and 64 MiB, so it
happens in a small pool of threads, never on the event loop.

Names and passwords are taken in every spelling (`core.precis`). A name that was stored as it was
typed, and a hash of a password as it was typed, go on working: what was typed is tried, too.
"""

import asyncio
import secrets
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import Type

from deviceflow.config import User
from deviceflow.core.claims import Subject
from deviceflow.core.precis import prepare_password, prepare_username, spellings
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordUnreadable, SubjectTaken
from deviceflow.store.records import RecordKind, read_record, write_record
from deviceflow.store.shapes import Command
from deviceflow.store.shared_trips import SharedTrips

HASHING_THREADS = 2

NO_PASSWORD = ""
"""The hash of a user who cannot sign in with a password: no password has it."""

SAMPLE = 32
"""How many stored accounts tell which parameters hashes have: all, where there are no more."""

T = TypeVar("T")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person who can sign in. `sub`: the subject in tokens, which never changes."""

    username: str
    sub: str
    password_hash: str
    name: str | None = None
    email: str | None = None
    disabled: bool = False
    source: Literal["file", "store"] = "store"


class _StoredHash(msgspec.Struct, frozen=True):
    """The only part of a record that the sample reads."""

    password_hash: str


class Users:
    """The door to users. Methods that read the store may raise StoreUnavailable."""

    def __init__(self, connection: Connection, from_file: Iterable[User] = ()) -> None:
        self._connection = connection
        self._from_file = {user.username: _account(user) for user in from_file}
        self._subjects = {user.sub: user.username for user in self._from_file.values()}
        self._shared_reads = SharedTrips(self._read_together)
        self._hasher = PasswordHasher()
        self._pool = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="argon2")
        self._prepared = {
            prepared: account
            for account in reversed(self._from_file.values())
            if (prepared := prepare_username(account.username))
        }

    async def find(self, username: str) -> Account | None:
        """Return the user of that name, or None."""
        record = await self._connection.command("HGET", keyspace.USERS, username)
        if record is None:
            return self._from_file.get(username)
        return _read(record)

    async def find_typed(self, username: str) -> Account | None:
        """Return the user whose name a person types as `username`: that very name goes first."""
        names = spellings(username, prepare_username(username))
        records = await self._connection.command("HMGET", keyspace.USERS, *names)
        for name, record in zip(names, records, strict=True):
            if record is not None:
                return _read(record)
            if name in self._from_file:
                return self._from_file[name]
        account = self._prepared.get(names[-1])
        # A user of the store stands before this one, too.
        return await self.find(account.username) if account else None

    async def find_subject(self, sub: str) -> Account | None:
        """Return the user with that subject, or None."""
        name = await self._connection.command("HGET", keyspace.SUBJECTS, sub)
        username = name.decode() if name else self._subjects.get(sub)
        account = await self.find(username) if username else None
        return account if account is not None and account.sub == sub else None

    async def all(self) -> list[Account]:
        """Return every user, by name."""
        records = await self._connection.command("HVALS", keyspace.USERS)
        stored = [_read(record) for record in records]
        accounts = self._from_file | {account.username: account for account in stored}
        return sorted(accounts.values(), key=lambda account: account.username)

    async def put(self, account: Account) -> None:
        """Store a user, or change one."""
        stored = msgspec.structs.replace(account, source="store")
        before = await self._connection.command("HGET", keyspace.USERS, account.username)
        record = write_record(stored, over=before or b"")
        await self._connection.command("HSET", keyspace.SUBJECTS, account.sub, account.username)
        await self._connection.command("HSET", keyspace.USERS, account.username, record)

    async def remove(self, account: Account) -> bool:
        """Remove a user from the store. Return False if it is not there."""
        # The record first: without it, the subject leads to nobody.
        is_removed = await self._connection.command("HDEL", keyspace.USERS, account.username)
        await self._connection.command("HDEL", keyspace.SUBJECTS, account.sub)
        return bool(is_removed)

    async def verify(self, username: str, password: str) -> Account | None:
        """Return the user if that is the password and the user may sign in.

        What it costs depends on the typed text alone: for an unknown user a hash is checked that
        has the parameters of most accounts, and a wrong password is tried in each spelling. A
        stored hash with other parameters than today's is replaced.
        """
        account = await self.find_typed(username)
        decoy = await self._decoy_hash()
        expected = account.password_hash if account and _is_hash(account.password_hash) else decoy
        for spelling in reversed(spellings(password, prepare_password(password))):
            matches = await self._in_pool(self._matches, expected, spelling)
            if account and matches and not account.disabled:
                return await self._refreshed(account, spelling)
        return None

    async def may_sign_in(self, subject: Subject) -> bool:
        """Return whether the person who approved something is still a user, and not disabled."""
        account = await self.find(subject.username)
        return account is not None and account.sub == subject.sub and not account.disabled

    async def admit(self, subject: Subject) -> bool:
        """Return whether a person whom another system has signed in may approve something.

        A person that is unknown here becomes a user without a password, who cannot sign in with
        one. May raise SubjectTaken.
        """
        record = await self._shared_reads.send(("HGET", keyspace.USERS, subject.username))
        account = _read(record) if record else self._from_file.get(subject.username)
        if account is None:
            if await self.find_subject(subject.sub) is not None:
                raise SubjectTaken
            await self.put(
                Account(
                    username=subject.username,
                    sub=subject.sub,
                    password_hash=NO_PASSWORD,
                    name=subject.name,
                    email=subject.email,
                )
            )
            return True
        if account.sub != subject.sub:
            raise SubjectTaken
        return not account.disabled

    async def hash(self, password: str) -> str:
        """Return the Argon2id hash of a password, prepared if its profile allows it."""
        return await self._in_pool(self._hasher.hash, prepare_password(password) or password)

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _read_together(self, commands: Sequence[Command]) -> list[Any]:
        return await self._connection.batch(*commands)

    async def _decoy_hash(self) -> str:
        """Make a hash that no password has and that costs as much as those of most accounts."""
        sample = await self._connection.command("HRANDFIELD", keyspace.USERS, SAMPLE, "WITHVALUES")
        stored = [_stored_hash(value) for value in _values(sample)]
        hashes = [*stored, *(account.password_hash for account in self._from_file.values())]
        costs = Counter(cost for each in hashes if (cost := _cost(each)))
        usual = costs.most_common(1)[0][0] if costs else _cost_of(self._hasher)
        return usual.hash()

    async def _refreshed(self, account: Account, password: str) -> Account:
        """Hash the password with today's parameters if its stored hash has others.

        A user of the file stays as the file has it.
        """
        prepared = prepare_password(password) or password
        is_old = self._hasher.check_needs_rehash(account.password_hash) or prepared != password
        if account.source == "file" or not is_old:
            return account
        record = await self._connection.command("HGET", keyspace.USERS, account.username)
        if record is None or _read(record) != account:
            return account  # somebody has changed it meanwhile
        renewed = msgspec.structs.replace(account, password_hash=await self.hash(password))
        # The script changes a field of a hash, unless it has changed: so it does for users, too.
        is_stored = await scripts.change_client(
            self._connection,
            keyspace.USERS,
            account.username,
            before=record,
            after=write_record(renewed, over=record),
        )
        return renewed if is_stored else account

    def _matches(self, expected: str, password: str) -> bool:
        try:
            return self._hasher.verify(expected, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _in_pool(self, function: Callable[..., T], *args: str) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, function, *args)


class _Cost(NamedTuple):
    """What a hash says about the work of checking it; both lengths in bytes."""

    memory_cost: int
    time_cost: int
    parallelism: int
    salt_len: int
    hash_len: int

    def hash(self) -> str:
        """Make a hash of this cost that no known password has. It takes no work."""
        parameters = f"m={self.memory_cost},t={self.time_cost},p={self.parallelism}"
        salt, digest = map(secrets.token_bytes, (self.salt_len, self.hash_len))
        return f"$argon2id$v=19${parameters}${_base64(salt)}${_base64(digest)}"


def _cost_of(hasher: PasswordHasher) -> _Cost:
    return _Cost(
        hasher.memory_cost,
        hasher.time_cost,
        hasher.parallelism,
        hasher.salt_len,
        hasher.hash_len,
    )


def _cost(password_hash: str) -> _Cost | None:
    """Read the cost of a hash, None if it is no Argon2id hash and so costs nothing."""
    try:
        found = extract_parameters(password_hash)
    except (InvalidHashError, ValueError):
        return None
    if found.type is not Type.ID:
        return None
    return _Cost(
        found.memory_cost, found.time_cost, found.parallelism, found.salt_len, found.hash_len
    )


def _is_hash(text: str) -> bool:
    return _cost(text) is not None


def _base64(data: bytes) -> str:
    """Encode as hashes do: the ordinary alphabet, no padding."""
    return b64encode(data).rstrip(b"=").decode()


def _values(sample: list[Any] | None) -> list[bytes]:
    """Return the values of fields and values, which the store lists in pairs or one by one."""
    fields = sample or []
    if fields and isinstance(fields[0], list):
        return [value for _, value in fields]
    return fields[1::2]


def _read(record: bytes) -> Account:
    try:
        return read_record(record, RecordKind.USER, Account)
    except RecordUnreadable as error:
        raise RecordUnreadable(
            f"the record of a user cannot be read: {error}. To go on, run the version that wrote it"
        ) from error


def _stored_hash(record: bytes) -> str:
    try:
        return read_record(record, RecordKind.USER, _StoredHash).password_hash
    except RecordUnreadable:
        return ""


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
