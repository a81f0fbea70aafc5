"""Which account a person at an upstream provider has.

A link is known by `iss` and `sub` together, and by nothing else: never by a name or an address,
which the provider, or the person, may give to somebody else.

A link is stored before the account that it leads to. So a sign-in that was cut short is completed
by the next one, as the same account; and of two at once, both come to one account.
"""

import secrets
from collections.abc import Callable

import msgspec

from deviceflow.core.upstream_person import UpstreamPerson, UpstreamSubject, account_names
from deviceflow.store import keyspace, scripts
from deviceflow.store.accounts import Account
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordContended
from deviceflow.store.records import RecordKind, read_record, write_record
from deviceflow.store.users import Users

_TRIES = 5
"""How often a change is tried again that somebody else has overtaken."""


class NameTakenError(Exception):
    """Every name that a new account could have belongs to another one."""


class LinkTakenError(Exception):
    """The person has another account already: `username`."""

    def __init__(self, username: str) -> None:
        super().__init__(username)
        self.username = username


class _Link(msgspec.Struct, frozen=True):
    """The account of a person."""

    issuer: str
    subject: str
    username: str
    sub: str


class Links:
    """The door to links. Every method may raise StoreUnavailable.

    `on_created` is called with the subject of an account that a sign-in has made.
    """

    def __init__(self, connection: Connection, users: Users) -> None:
        self._connection = connection
        self._users = users
        self.on_created: Callable[[str], None] = _ignore

    async def find(self, whose: UpstreamSubject) -> Account | None:
        """Return the account of a person, or None. A disabled account is returned, too."""
        record = await self._record(whose)
        return await self._account(_read(record)) if record else None

    async def sign_in(
        self, whose: UpstreamSubject, person: UpstreamPerson, *, may_create: bool
    ) -> Account | None:
        """Return the account of a person, with the name and the address that they have now.

        None: there is no account, and none may be created. May raise NameTakenError.
        """
        for _ in range(_TRIES):
            account = await self.find(whose)
            if account is None and not may_create:
                return None
            stored = await (
                self._create(whose, person) if account is None else self._refresh(account, person)
            )
            if stored is not None:
                return stored
        raise NameTakenError

    async def link(self, whose: UpstreamSubject, account: Account) -> Account:
        """Let a person sign in to `account`, as it was read. A repetition does the rest.

        May raise LinkTakenError, and RecordContended: the account has changed since.
        """
        record = await self._record(whose)
        if record and (owner := await self._account(_read(record))) is not None:
            if owner.sub != account.sub:
                raise LinkTakenError(owner.username)
            if whose in owner.upstream:
                return owner
        link = _Link(whose.issuer, whose.subject, account.username, account.sub)
        if not await self._change(whose, record, link):
            raise LinkTakenError(account.username)
        linked = msgspec.structs.replace(account, upstream=(*account.upstream, whose))
        if not await self._users.change(account, linked):
            raise RecordContended(f"{account.username} was changed by others; try again")
        return linked

    async def _create(self, whose: UpstreamSubject, person: UpstreamPerson) -> Account | None:
        """Create the account, or complete it; None if somebody else was faster."""
        record = await self._record(whose)
        begun = _read(record) if record else None
        sub = begun.sub if begun else f"user_{secrets.token_hex(12)}"
        names = [*([begun.username] if begun else []), *account_names(person.wanted_name, whose)]
        for name in names:
            existing = await self._users.find_typed(name)
            if existing is not None and existing.sub == sub:
                return existing  # another sign-in of the same person has just completed it
            if existing is not None:
                continue
            link = _Link(whose.issuer, whose.subject, name, sub)
            if not await self._change(whose, record, link):
                return None
            account = Account(
                username=name,
                sub=sub,
                password_hash="",
                name=person.name,
                email=person.email,
                upstream=(whose,),
            )
            if not await self._users.change(None, account):
                return None
            self.on_created(account.sub)
            return account
        raise NameTakenError

    async def _refresh(self, account: Account, person: UpstreamPerson) -> Account | None:
        """Store the name and the address that the provider gives now; None if overtaken."""
        now = msgspec.structs.replace(
            account, name=person.name or account.name, email=person.email or account.email
        )
        if now == account:
            return account
        return now if await self._users.change(account, now) else None

    async def _account(self, link: _Link) -> Account | None:
        account = await self._users.find(link.username)
        return account if account is not None and account.sub == link.sub else None

    async def _record(self, whose: UpstreamSubject) -> bytes:
        record: bytes | None
        record = await self._connection.command("HGET", keyspace.LINKS, whose.digest)
        return record or b""

    async def _change(self, whose: UpstreamSubject, before: bytes, after: _Link) -> bool:
        return await scripts.change_field(
            self._connection,
            keyspace.LINKS,
            whose.digest,
            before=before,
            after=write_record(after),
        )


def _read(record: bytes) -> _Link:
    return read_record(record, RecordKind.LINK, _Link)


def _ignore(_: str) -> None:
    return None
