"""Users, who may approve: from the configuration file, and from the store above it.

A user whom `deviceflow users` has put into the store takes precedence over one of the same name
in the file. Passwords are Argon2id hashes; checking one takes a tenth of a second and 64 MiB, so it
happens in a small pool of threads, never on the event loop.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Literal, TypeVar

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from deviceflow.config import User
from deviceflow.core.claims import Subject
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection

HASHING_THREADS = 2

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


class Users:
    """The door to users. Methods that read the store may raise StoreUnavailable."""

    def __init__(self, connection: Connection, from_file: Iterable[User] = ()) -> None:
        self._connection = connection
        self._from_file = {user.username: _account(user) for user in from_file}
        self._subjects = {user.sub: user.username for user in self._from_file.values()}
        self._hasher = PasswordHasher()
        self._pool = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="argon2")
        self._decoy_hash: str | None = None

    async def find(self, username: str) -> Account | None:
        """Return the user of that name, or None."""
        record = await self._connection.command("HGET", keyspace.USERS, username)
        if record is None:
            return self._from_file.get(username)
        return msgspec.json.decode(record, type=Account)

    async def find_subject(self, sub: str) -> Account | None:
        """Return the user with that subject, or None."""
        name = await self._connection.command("HGET", keyspace.SUBJECTS, sub)
        username = name.decode() if name else self._subjects.get(sub)
        account = await self.find(username) if username else None
        return account if account is not None and account.sub == sub else None

    async def all(self) -> list[Account]:
        """Return every user, by name."""
        records = await self._connection.command("HVALS", keyspace.USERS)
        stored = [msgspec.json.decode(record, type=Account) for record in records]
        accounts = self._from_file | {account.username: account for account in stored}
        return sorted(accounts.values(), key=lambda account: account.username)

    async def put(self, account: Account) -> None:
        """Store a user, or change one."""
        stored = msgspec.structs.replace(account, source="store")
        record = msgspec.json.encode(stored)
        await self._connection.command("HSET", keyspace.SUBJECTS, account.sub, account.username)
        await self._connection.command("HSET", keyspace.USERS, account.username, record)

    async def verify(self, username: str, password: str) -> Account | None:
        """Return the user if that is the password and the user may sign in.

        An unknown user costs the same time as a wrong password.
        """
        account = await self.find(username)
        if self._decoy_hash is None:
            self._decoy_hash = await self.hash("nobody")
        expected = account.password_hash if account else self._decoy_hash
        matches = await self._in_pool(self._matches, expected, password)
        return account if account and matches and not account.disabled else None

    async def may_sign_in(self, subject: Subject) -> bool:
        """Return whether the person who approved something is still a user, and not disabled."""
        account = await self.find(subject.username)
        return account is not None and account.sub == subject.sub and not account.disabled

    async def hash(self, password: str) -> str:
        """Return the Argon2id hash of a password."""
        return await self._in_pool(self._hasher.hash, password)

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _matches(self, expected: str, password: str) -> bool:
        try:
            return self._hasher.verify(expected, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _in_pool(self, function: Callable[..., T], *args: str) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, function, *args)


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
