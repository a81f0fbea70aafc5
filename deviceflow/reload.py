"""Take up what an operator changes while the server runs: clients and signing keys."""

import asyncio

import msgspec

from deviceflow.config import Settings
from deviceflow.core.client import Client, Clients
from deviceflow.core.clock import Clock
from deviceflow.core.signing_key import SigningKey, signing_key_of
from deviceflow.ops.reloads import log_client_changes, log_key_changes
from deviceflow.signing import Signer, is_usable, new_key
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.signing_keys import SigningKeys


def open_signing_keys(settings: Settings, connection: Connection, clock: Clock) -> SigningKeys:
    """Open the stored signing keys, which are kept for as long as what they sign may live."""
    tokens = settings.tokens
    longest = max(tokens.access_token_lifetime_s, tokens.id_token_lifetime_s)
    return SigningKeys(connection, longest, is_usable, clock)


class Reload:
    """Reads clients and signing keys as they are in the store, and logs what changed."""

    def __init__(
        self,
        *,
        clients: Clients,
        stored_clients: StoredClients,
        signer: Signer,
        signing_keys: SigningKeys,
        installation: Installation,
        clock: Clock,
    ) -> None:
        self._clients = clients
        self._stored_clients = stored_clients
        self._signer = signer
        self._signing_keys = signing_keys
        self._installation = installation
        self._clock = clock
        self._keys_of = installation.epoch
        self._has_read = False

    async def __call__(self) -> None:
        """Read clients and keys again. May raise StoreUnavailable."""
        clients, keys = self._known_clients(), self._signer.known
        self._clients.adopt(await self._stored_clients.all())
        if self._has_read:
            log_client_changes(clients, self._known_clients())
        await self._reload_keys()
        if self._has_read:
            log_key_changes(keys, self._signer.known, self._signer.signing_key.key_id)
        self._has_read = True

    def _known_clients(self) -> dict[str, Client]:
        return {client.client_id: client for client in self._clients}

    async def _reload_keys(self) -> None:
        keys = await self._signing_keys.read()
        if signing_key_of(keys, self._signer.algorithm) is None:
            keys = await self._signing_keys.add_first(await self._first_key())
        self._signer.adopt(keys)
        self._keys_of = self._installation.epoch

    async def _first_key(self) -> SigningKey:
        """Return the key to sign with if the store has none for this algorithm."""
        if self._keys_of != self._installation.epoch:
            # The store lost its data: what this key has signed can still be verified.
            return msgspec.structs.replace(self._signer.signing_key, expires_at=0)
        # The key was withdrawn, perhaps after a leak, and must not come back. Or a host with
        # another algorithm superseded it, so what it signs from now on could not be verified.
        return await asyncio.to_thread(new_key, self._signer.algorithm, int(self._clock()))
