"""People who may approve: from the configuration file, and from the store above it.

A user that `deviceflow users` has put into the store stands before one of the same name in the
file. Passwords are Argon2id hashes; checking one takes a tenth of a second and 64 MiB, so it
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
from deviceflow.store.connection import Connection

USERS_KEY = "df:users"
SUBJECTS_KEY = "df:subjects"
HASHING_THREADS = 2

T = TypeVar("T")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who can sign in. `sub`: the subject in tokens, which never changes."""

    username: str
    sub: str
    password_hash: str
    name: str | None = None
    email: str | None = None
    disabled: bool = False
    source: Literal["file", "store"] = "store"


class Users:
    """The door to users. Methods that read the store raise StoreUnavailable."""

    def __init__(self, connection: Connection, from_file: Iterable[User] = ()) -> None:
        self._connection = connection
        self._from_file = {user.username: _account(user) for user in from_file}
        self._subjects = {user.sub: user.username for user in self._from_file.values()}
        self._hasher = PasswordHasher()
        self._pool = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="argon2")
        self._nobody: str | None = None

    async def find(self, username: str) -> Account | None:
        """The user of that name, or None."""
        record = await self._connection.command("HGET", USERS_KEY, username)
        if record is None:
            return self._from_file.get(username)
        return msgspec.json.decode(record, type=Account)

    async def find_subject(self, sub: str) -> Account | None:
        """The user with that subject, or None."""
        name = await self._connection.command("HGET", SUBJECTS_KEY, sub)
        username = name.decode() if name else self._subjects.get(sub)
        account = await self.find(username) if username else None
        return account if account is not None and account.sub == sub else None

    async def all(self) -> list[Account]:
        """Every user, by name."""
        records = await self._connection.command("HVALS", USERS_KEY)
        stored = [msgspec.json.decode(record, type=Account) for record in records]
        accounts = self._from_file | {account.username: account for account in stored}
        return sorted(accounts.values(), key=lambda account: account.username)

    async def put(self, account: Account) -> None:
        """Store a user, or change one."""
        stored = msgspec.structs.replace(account, source="store")
        record = msgspec.json.encode(stored)
        await self._connection.command("HSET", SUBJECTS_KEY, account.sub, account.username)
        await self._connection.command("HSET", USERS_KEY, account.username, record)

    async def verify(self, username: str, password: str) -> Account | None:
        """The user, if that is the password and the user may sign in.

        An unknown user costs the same time as a wrong password.
        """
        account = await self.find(username)
        if self._nobody is None:
            self._nobody = await self.hash("nobody")
        expected = account.password_hash if account else self._nobody
        matches = await self._in_pool(self._matches, expected, password)
        return account if account and matches and not account.disabled else None

    async def may_sign_in(self, subject: Subject) -> bool:
        """Whether the person who approved something is still a user, and not disabled."""
        account = await self.find(subject.username)
        return account is not None and account.sub == subject.sub and not account.disabled

    async def hash(self, password: str) -> str:
        """The Argon2id hash of a password."""
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
    """The subject of a user from the file: stable, and never the shape of a client id."""
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
