"""The keys that sign tokens, in the store, shared by all workers of all hosts."""

from collections.abc import Callable

import structlog

from deviceflow.core.clock import Clock
from deviceflow.core.signing_key import SigningKey, age, superseded
from deviceflow.store import keyspace, scripts
from deviceflow.store.announcements import announce_change
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.records import RecordKind, read_record, write_record

LATE_S = 60
"""How long after a rotation a worker may still sign with the old key, at the very most: the
worker hears of it within a second, but its host's clock may be ahead."""

log = structlog.get_logger()


class SigningKeys:
    """The door to signing keys. Every method may raise StoreUnavailable.

    `signed_for_s`: the longest life of anything that is signed. `is_usable`: whether a record
    holds a key that this version can use; any other record stays as it is, and is logged.
    """

    def __init__(
        self,
        connection: Connection,
        signed_for_s: int,
        is_usable: Callable[[SigningKey], bool],
        clock: Clock,
    ) -> None:
        self._connection = connection
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
            write_record(key),
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

    async def _put(self, key: SigningKey) -> None:
        name = key.key_id.encode()
        before = next((record for known, record in self._known if known == name), b"")
        record = write_record(key, over=before)
        await self._connection.command("HSET", keyspace.SIGNING_KEYS, key.key_id, record)

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
            key = read_record(record, RecordKind.SIGNING_KEY, SigningKey)
            if self._is_usable(key):
                return key
            reason = "it is not a private key that this version knows"
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

    def _is_live(self, key: SigningKey) -> bool:
        return key.is_live(self._clock())
