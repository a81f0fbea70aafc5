"""The keys that sign tokens, in the store, shared by all workers of all hosts.

Where the installation's secrets are sealed by an envelope key, the private members of a key are in
one sealed member of its record. What is public stays readable.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from deviceflow.core.clock import Clock
from deviceflow.core.signing_key import SigningKey, age, superseded
from deviceflow.store import keyspace, scripts
from deviceflow.store.announcements import announce_change
from deviceflow.store.connection import Connection
from deviceflow.store.envelope import EnvelopeError
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.installation import Installation
from deviceflow.store.records import RecordKind, read_record, write_record

LATE_S = 60
"""How long after a rotation a worker may still sign with the old key, at the very most: the
worker hears of it within a second, but its host's clock may be ahead."""

SEALED_VERSION = 2
"""The version of a record with a sealed member: a host that ignored it would misread the key."""

_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
"""The members of a JWK that are secret (RFC 7518 6)."""

log = structlog.get_logger()


class _StoredKey(SigningKey, frozen=True, kw_only=True):
    """A key as it is stored. `sealed`: the private members of the JWK, if they are not in it."""

    sealed: bytes = b""


class SigningKeys:
    """The door to signing keys. Every method may raise StoreUnavailable.

    Among it is EnvelopeError: a key is sealed, and this host cannot open it.

    `signed_for_s`: the longest life of anything that is signed. `is_usable`: whether a record
    holds a key that this version can use; any other record stays as it is, and is logged.
    """

    def __init__(
        self,
        connection: Connection,
        installation: Installation,
        signed_for_s: int,
        is_usable: Callable[[SigningKey], bool],
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._signed_for_s = signed_for_s
        self._is_usable = is_usable
        self._clock = clock
        self._known: dict[tuple[bytes, bytes], SigningKey | None] = {}

    async def live_keys(self) -> list[SigningKey]:
        """Return the keys that have not expired; the one that signs is the last."""
        stored = (await self._stored()).values()
        return sorted((key for key in stored if key and self._is_live(key)), key=age)

    async def add_first(self, key: SigningKey) -> list[SigningKey]:
        """Add a key unless another one of its algorithm signs; return all live keys.

        Announce a key only if it was added: a worker that reads the keys again comes here, too, so
        workers would call one another without end.
        """
        useless = [
            name
            for name, stored in (await self._stored()).items()
            if stored is None or stored.expires_at
        ]
        added = await scripts.add_signing_key(
            self._connection,
            keyspace.SIGNING_KEYS,
            key.key_id,
            self._record(key),
            algorithm=key.algorithm,
            useless=useless,
        )
        if added:
            await announce_change(self._connection)
        return await self.live_keys()

    async def rotate(self, key: SigningKey) -> None:
        """Sign with `key` from now on. Its predecessors stay published while they are needed."""
        expires_at = int(self._clock()) + self._signed_for_s + LATE_S
        for older in superseded(await self.live_keys(), expires_at):
            await self._put(older)
        await self._put(key)
        await self._forget_expired()
        await announce_change(self._connection)

    async def retire(self, key_id: str) -> bool:
        """Withdraw a key at once, with all that it signed; return False if there is none."""
        removed = await self._connection.command("HDEL", keyspace.SIGNING_KEYS, key_id)
        await announce_change(self._connection)
        return bool(removed)

    async def store_again(self) -> int:
        """Write each key as the installation now protects it; return how many there are."""
        await self._stored()
        usable = [(name, before, key) for (name, before), key in self._known.items() if key]
        # A key that is changed meanwhile is protected by the one who changes it.
        for name, before, key in usable:
            await scripts.change_field(
                self._connection,
                keyspace.SIGNING_KEYS,
                name.decode(),
                before=before,
                after=self._record(key, over=before),
            )
        return len(usable)

    async def _put(self, key: SigningKey) -> None:
        name = key.key_id.encode()
        before = next((record for known, record in self._known if known == name), b"")
        record = self._record(key, over=before)
        await self._connection.command("HSET", keyspace.SIGNING_KEYS, key.key_id, record)

    def _record(self, key: SigningKey, over: bytes = b"") -> bytes:
        """Return a key as it is stored. `over`: the record that it replaces."""
        if not self._installation.is_sealed:
            return write_record(key, over=over)
        private = {name: key.jwk[name] for name in _PRIVATE if name in key.jwk}
        stored = _StoredKey(
            jwk={name: value for name, value in key.jwk.items() if name not in private},
            created_at=key.created_at,
            expires_at=key.expires_at,
            sealed=self._installation.protect(_purpose(key.key_id), msgspec.json.encode(private)),
        )
        return write_record(stored, over=over, version=SEALED_VERSION)

    async def _forget_expired(self) -> None:
        for name, key in (await self._stored()).items():
            if key and not self._is_live(key):
                await self._connection.command("HDEL", keyspace.SIGNING_KEYS, name)

    async def _stored(self) -> dict[bytes, SigningKey | None]:
        """Return all records by id; None for a record that is no key to this version."""
        records = await self._connection.command("HGETALL", keyspace.SIGNING_KEYS)
        known = self._known
        # Do not read or log a record again that has not changed.
        self._known = {
            item: known[item] if item in known else self._read(*item) for item in records.items()
        }
        return {name: key for (name, _), key in self._known.items()}

    def _read(self, name: bytes, record: bytes) -> SigningKey | None:
        try:
            key = self._key(read_record(record, RecordKind.SIGNING_KEY, _StoredKey))
            if self._is_usable(key):
                return key
            reason = "it is not a private key that this version knows"
        except EnvelopeError:
            # Other hosts sign with it. This one must neither do without it nor replace it.
            raise
        except RecordUnreadable as error:
            reason = str(error)
        key_id = name.decode(errors="replace")
        log.error(
            "signing_key.unreadable",
            key_id=key_id,
            reason=reason,
            consequence="it is not published, and what it signed is refused",
            remedy="run the version that wrote it, or withdraw it: "
            f"deviceflow keys retire {key_id}",
        )
        return None

    def _key(self, stored: _StoredKey) -> SigningKey:
        """Return the key in a record. May raise EnvelopeError and RecordUnreadable."""
        jwk = stored.jwk
        if stored.sealed:
            opened = self._installation.reveal(_purpose(str(jwk.get("kid"))), stored.sealed)
            jwk = jwk | msgspec.json.decode(opened, type=dict[str, Any])
        return SigningKey(jwk=jwk, created_at=stored.created_at, expires_at=stored.expires_at)

    def _is_live(self, key: SigningKey) -> bool:
        return key.is_live(self._clock())


def _purpose(key_id: str) -> str:
    return f"signing key {key_id}"
