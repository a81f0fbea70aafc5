"""The reload of what an operator changes while the server runs: clients and signing keys."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients, algorithms_of
from deviceflow.core.clock import Clock
from deviceflow.core.signing_key import SigningKey, signing_key_of
from deviceflow.ops.reloads import log_client_changes, log_key_changes
from deviceflow.signing.keys import is_usable, new_key
from deviceflow.signing.signer import Signer
from deviceflow.store.client_cancellations import ClientCancellations
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.envelope import EnvelopeError
from deviceflow.store.installation import Installation
from deviceflow.store.signing_keys import SigningKeys

log = structlog.get_logger()


def open_signing_keys(
    settings: Settings, connection: Connection, installation: Installation, clock: Clock
) -> SigningKeys:
    """Open the stored signing keys, which are kept for as long as what they sign may live."""
    tokens = settings.tokens
    longest = max(tokens.access_token_lifetime_s, tokens.id_token_lifetime_s)
    return SigningKeys(connection, installation, longest, is_usable, clock)


@dataclass(kw_only=True)
class Reload:
    """Reads clients and keys as they are in the store, and logs what changed.

    With them, it reads for which clients all grants were ended or cancelled. `keep`: called when
    the keys of the installation have changed.
    """

    clients: Clients
    stored_clients: StoredClients
    connection: Connection
    revocations: ClientRevocations
    cancellations: ClientCancellations
    signer: Signer
    signing_keys: SigningKeys
    installation: Installation
    clock: Clock
    keep: Callable[[], None] = lambda: None

    _keys_of: bytes = field(init=False)
    _has_read: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._keys_of = self.installation.epoch

    async def __call__(self) -> None:
        """Read clients and keys again. May raise StoreUnavailable."""
        await self.revocations.read()
        await self.cancellations.read()
        clients, keys = self._known_clients(), self.signer.known
        self.clients.adopt(await self.stored_clients.all())
        if self._has_read:
            log_client_changes(clients, self._known_clients())
        await self._open_keys()
        if self._has_read:
            self._log_keys(keys)
        self._has_read = True

    async def some_clients(self, client_ids: Sequence[str]) -> None:
        """Read some clients again. May raise StoreUnavailable."""
        before = self._find(client_ids)
        for client_id, stored in (await self.stored_clients.some(client_ids)).items():
            self.clients.adopt_one(client_id, stored)
        after = self._find(client_ids)
        log_client_changes(before, after)
        algorithms = {client.algorithm for client in after.values() if client.algorithm}
        if any(self.signer.key_for(algorithm) is None for algorithm in algorithms):
            keys = self.signer.known
            await self._open_keys()
            self._log_keys(keys)

    def _find(self, client_ids: Sequence[str]) -> dict[str, Client]:
        found = {client_id: self.clients.find(client_id) for client_id in client_ids}
        return {client_id: client for client_id, client in found.items() if client}

    def _known_clients(self) -> dict[str, Client]:
        return {client.client_id: client for client in self.clients}

    def _log_keys(self, before: Mapping[str, SigningKey]) -> None:
        log_key_changes(before, self.signer.known, self.signer.signing_key.key_id)

    async def _open_keys(self) -> None:
        """Read all keys. If they are sealed by an unknown key, read the envelope keys again."""
        try:
            try:
                await self._reload_keys()
            except EnvelopeError:
                await asyncio.to_thread(self.installation.envelope.read_again)
                await self._reload_keys()
        except EnvelopeError as error:
            # Another host has sealed them. What this worker knows stays good for what there is.
            log.error(  # noqa: TRY400 - the reason says it all
                "keys.cannot_be_opened",
                reason=str(error),
                consequence="this host goes on with the keys that it knows; it would not start",
                remedy="give it the envelope key, then deviceflow reload",
            )

    async def _reload_keys(self) -> None:
        if await self.installation.take_changes(self.connection):
            await asyncio.to_thread(self.keep)
        keys = await self.signing_keys.live_keys()
        for algorithm in algorithms_of(self.clients, self.signer.algorithm):
            if signing_key_of(keys, algorithm) is None:
                keys = await self.signing_keys.add_first(await self._first_key(algorithm))
        self.signer.adopt(keys)
        self._keys_of = self.installation.epoch

    async def _first_key(self, algorithm: str) -> SigningKey:
        """Return the key to sign with if the store has none for this algorithm."""
        known = self.signer.key_for(algorithm)
        if known is not None and self._keys_of != self.installation.epoch:
            # The store lost its data: what this key has signed can still be verified.
            return msgspec.structs.replace(known, expires_at=0)
        # The key was withdrawn, perhaps after a leak, and must not come back. Or a host with
        # another algorithm superseded it, so what it signs from now on could not be verified.
        return await asyncio.to_thread(new_key, algorithm, int(self.clock()))
