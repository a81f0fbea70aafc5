"""What a person has beside the password: passkeys, an authenticator app, recovery codes.

All of it is one record for each person, under the subject. So a removed person who comes back as
another one has none of it. A change replaces the record if it is still as it was read: a code that
two requests use at the same time is good for one of them.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress

import msgspec

from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordContended, RecordUnreadable
from deviceflow.store.installation import Installation
from deviceflow.store.records import RecordKind, read_record, write_record
from deviceflow.store.secret_box import decrypt, encrypt

CHANGE_TRIES = 20
MOST_PASSKEYS = 20


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key of a person (WebAuthn). Times in s; `used_at` is 0 for never.

    `id`: of the credential, in base64url. `public_key`: in COSE. `sign_count`: the authenticator's
    count at its last use. `transports`: how browsers reach it.
    """

    id: str
    public_key: bytes
    sign_count: int
    name: str
    added_at: int
    used_at: int = 0
    transports: tuple[str, ...] = ()


class Authenticator(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticator app. `secret`: encrypted. `used_step`: the newest step that was used."""

    secret: bytes
    added_at: int
    used_step: int


class Factors(msgspec.Struct, frozen=True, kw_only=True):
    """The factors of a person. `recovery`: hashes of the codes that were not used.

    `change` is new in each version of the record, so that a request whose answer was lost
    recognises its own success, and takes no other one for it.
    """

    authenticator: Authenticator | None = None
    passkeys: tuple[Passkey, ...] = ()
    recovery: tuple[str, ...] = ()
    change: str = ""

    def passkey(self, passkey_id: str) -> Passkey | None:
        """Return the passkey of that id, None if this person has none."""
        return next((each for each in self.passkeys if each.id == passkey_id), None)


NONE = Factors()
Edit = Callable[[Factors], Factors | None]


class FactorStore:
    """The door to factors. Every method that is a coroutine may raise StoreUnavailable."""

    def __init__(self, connection: Connection, installation: Installation) -> None:
        self._connection = connection
        self._installation = installation

    async def of(self, sub: str) -> Factors:
        """Return the factors of a person."""
        record = await self._connection.command("HGET", keyspace.FACTORS, sub)
        return _read(record) if record else NONE

    async def change(self, sub: str, edit: Edit) -> Factors | None:
        """Store what `edit` makes of the factors; None, if it returns that, changes nothing.

        `edit` is called again if another request was faster. May raise RecordContended.
        """
        for _ in range(CHANGE_TRIES):
            before = await self._connection.command("HGET", keyspace.FACTORS, sub) or b""
            edited = edit(_read(before) if before else NONE)
            if edited is None:
                return None
            after = msgspec.structs.replace(edited, change=secrets.token_hex(8))
            is_stored = await scripts.change_field(
                self._connection,
                keyspace.FACTORS,
                sub,
                before=before,
                after=write_record(after, over=before),
            )
            if is_stored:
                return after
        raise RecordContended("the factors of a person were changed by others again and again")

    async def claim_passkey(self, passkey_id: str, sub: str) -> bool:
        """Make a credential id this person's; return False if it is another one's."""
        return await scripts.change_field(
            self._connection, keyspace.PASSKEYS, passkey_id, before=b"", after=sub.encode()
        )

    async def owner_of(self, passkey_id: str) -> str | None:
        """Return the subject whose passkey it is. Whether it still counts, the factors say."""
        sub = await self._connection.command("HGET", keyspace.PASSKEYS, passkey_id)
        return sub.decode() if sub else None

    async def forget_passkey(self, passkey_id: str) -> None:
        """Forget whose this was: it was removed from the factors before."""
        await self._connection.command("HDEL", keyspace.PASSKEYS, passkey_id)

    def encrypted(self, text: str, context: str) -> bytes:
        """Encrypt a text. The secret of an authenticator has the subject as its context."""
        return encrypt(self._encryption_keys()[0], text.encode(), context)

    def decrypted(self, encrypted: bytes, context: str) -> str | None:
        """Return the text, None if it was encrypted elsewhere or in another context."""
        found = (decrypt(key, encrypted, context) for key in self._encryption_keys())
        text = next((text for text in found if text is not None), None)
        return None if text is None else text.decode()

    async def encrypt_again(self) -> int:
        """Encrypt all secrets by the keys that serve now; return how many were changed.

        A repetition does the rest of an interrupted run. A record that cannot be read stays as it
        is. May raise RecordContended.
        """
        changed, cursor = 0, b"0"
        while True:
            cursor, records = await self._connection.command("HSCAN", keyspace.FACTORS, cursor)
            for name in records:
                with suppress(RecordUnreadable):
                    changed += await self._encrypt_again(name.decode())
            if int(cursor) == 0:
                return changed

    async def _encrypt_again(self, sub: str) -> bool:
        def edit(factors: Factors) -> Factors | None:
            app = factors.authenticator
            if app is None or decrypt(self._encryption_keys()[0], app.secret, sub) is not None:
                return None
            secret = self.decrypted(app.secret, sub)
            if secret is None:
                return None
            app = msgspec.structs.replace(app, secret=self.encrypted(secret, sub))
            return msgspec.structs.replace(factors, authenticator=app)

        return await self.change(sub, edit) is not None

    def recovery_hash(self, code: str, sub: str) -> str:
        """Return what is stored of a recovery code, of which `code` has the letters."""
        return self._installation.name(b"recovery code", f"{sub} {code}".encode())

    def user_handle(self, sub: str) -> bytes:
        """Return the user handle of a person, which tells an authenticator nothing about them.

        WebAuthn 14.6.1 forbids names in it, and a subject may be one.
        """
        return self._installation.name(b"user handle", sub.encode()).encode()

    def _encryption_keys(self) -> list[bytes]:
        return self._installation.encryption_keys(b"authenticator")


async def remove_factors(connection: Connection, sub: str) -> Factors:
    """Remove all factors of a person; return what they were. May raise StoreUnavailable."""
    record = await connection.command("HGET", keyspace.FACTORS, sub)
    factors = _read(record) if record else NONE
    # The record first: without it, a credential id leads to a person without that passkey.
    await connection.command("HDEL", keyspace.FACTORS, sub)
    if factors.passkeys:
        ids = (passkey.id for passkey in factors.passkeys)
        await connection.command("HDEL", keyspace.PASSKEYS, *ids)
    return factors


def _read(record: bytes) -> Factors:
    return read_record(record, RecordKind.FACTORS, Factors)
