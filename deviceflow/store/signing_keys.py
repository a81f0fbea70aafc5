"""The keys that sign tokens, in the store: shared by all workers of all hosts."""

import time
from collections.abc import Callable

import msgspec

from deviceflow.core.signing_key import SigningKey, age, superseded
from deviceflow.store.changes import announce_change
from deviceflow.store.connection import Connection

SIGNING_KEY = "df:signing"


class SigningKeys:
    """The door to signing keys. Every method raises StoreUnavailable.

    `signed_for_s`: how long the longest-lived thing that is signed may live.
    """

    def __init__(
        self, connection: Connection, signed_for_s: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._connection = connection
        self._signed_for_s = signed_for_s
        self._clock = clock

    async def read(self) -> list[SigningKey]:
        """The keys that are still of use, the one that signs last."""
        stored = await self._connection.command("HVALS", SIGNING_KEY)
        keys = [msgspec.json.decode(record, type=SigningKey) for record in stored]
        now = self._clock()
        return sorted((key for key in keys if key.is_live(now)), key=age)

    async def add_first(self, key: SigningKey) -> list[SigningKey]:
        """Add the first key of its algorithm, unless another process just did."""
        algorithm = f'"alg":"{key.algorithm}"'
        record = msgspec.json.encode(key)
        await self._connection.run("add_signing_key", [SIGNING_KEY], algorithm, key.key_id, record)
        return await self.read()

    async def rotate(self, key: SigningKey) -> None:
        """Sign with `key` from now on; its predecessors stay published while they are needed."""
        expires_at = int(self._clock()) + self._signed_for_s
        for older in superseded(await self.read(), key.algorithm, expires_at):
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
        live = {key.key_id for key in await self.read()}
        for name in await self._connection.command("HKEYS", SIGNING_KEY):
            if name.decode() not in live:
                await self._connection.command("HDEL", SIGNING_KEY, name)
