"""The keys that sign tokens, in the store: shared by all workers of all hosts."""

from collections.abc import Callable

import msgspec
import structlog

from deviceflow.core.clock import Clock
from deviceflow.core.signing_key import SigningKey, age, superseded
from deviceflow.store.changes import announce_change
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.records import read_record

SIGNING_KEY = "df:signing"

LATE_S = 60
"""How long after a rotation a worker may still sign with the old key, at the very most: it
hears of it within a second, but its host's clock may be ahead."""

log = structlog.get_logger()


class SigningKeys:
    """The door to signing keys. Every method raises StoreUnavailable.

    `signed_for_s`: how long the longest-lived thing that is signed may live. `is_usable`:
    whether what was read is a key; what is not one is left alone and named in the log.
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

    async def read(self) -> list[SigningKey]:
        """The keys that are still of use, the one that signs last."""
        stored = (await self._stored()).values()
        return sorted((key for key in stored if key and self._is_live(key)), key=age)

    async def add_first(self, key: SigningKey) -> list[SigningKey]:
        """Add a key of an algorithm with which none signs; all keys then.

        Nothing is added if another process just did.

        Every worker hears of it if it was added, and only then: workers that read the keys
        again come here, too, and would call one another for ever.
        """
        algorithm = f'"alg":"{key.algorithm}"'
        record = msgspec.json.encode(key)
        useless = [
            name
            for name, stored in (await self._stored()).items()
            if stored is None or stored.expires_at
        ]
        added = await self._connection.run(
            "add_signing_key", [SIGNING_KEY], algorithm, key.key_id, record, *useless
        )
        if added:
            await announce_change(self._connection)
        return await self.read()

    async def rotate(self, key: SigningKey) -> None:
        """Sign with `key` from now on; its predecessors stay published while they are needed."""
        expires_at = int(self._clock()) + self._signed_for_s + LATE_S
        for older in superseded(await self.read(), expires_at):
            await self._put(older)
        await self._put(key)
        await self._forget_expired()
        await announce_change(self._connection)

    async def retire(self, key_id: str) -> bool:
        """Withdraw a key at once, and with it all that it signed; False if there is none."""
        removed = await self._connection.command("HDEL", SIGNING_KEY, key_id)
        await announce_change(self._connection)
        return bool(removed)

    async def _put(self, key: SigningKey) -> None:
        record = msgspec.json.encode(key)
        await self._connection.command("HSET", SIGNING_KEY, key.key_id, record)

    async def _forget_expired(self) -> None:
        for name, key in (await self._stored()).items():
            if key and not self._is_live(key):
                await self._connection.command("HDEL", SIGNING_KEY, name)

    async def _stored(self) -> dict[bytes, SigningKey | None]:
        """All that is stored, by id; None for what is no key to this version."""
        found = await self._connection.command("HGETALL", SIGNING_KEY)
        known = self._known
        # What has not changed is neither read nor complained of again.
        self._known = {
            one: known[one] if one in known else self._read(*one) for one in found.items()
        }
        return {name: key for (name, _), key in self._known.items()}

    def _read(self, name: bytes, record: bytes) -> SigningKey | None:
        try:
            key = read_record(record, SigningKey)
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
