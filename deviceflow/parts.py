"""What the endpoints and pages of one worker are made of, and how it hangs together."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import NamedTuple

import msgspec
from aiohttp import web

from deviceflow.callers import Callers
from deviceflow.config import Settings
from deviceflow.core.client import Client, Clients
from deviceflow.core.pace import PaceTable
from deviceflow.core.signing_key import SigningKey, signing
from deviceflow.oauth.client_auth import ClientAuthentication
from deviceflow.oauth.held import HeldPolls
from deviceflow.oauth.lane import Lane
from deviceflow.oauth.polls import Polls
from deviceflow.oauth.proofs import Proofs
from deviceflow.oauth.refusals import Refusals
from deviceflow.ops.reloads import tell_clients, tell_keys
from deviceflow.signing import Signer, is_usable, new_key
from deviceflow.store.access import AccessTokens
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.grants import Grants
from deviceflow.store.keys import Installation
from deviceflow.store.limits import Limits
from deviceflow.store.mirror import Mirror
from deviceflow.store.replay import Replay
from deviceflow.store.sessions import Sessions
from deviceflow.store.signing_keys import SigningKeys
from deviceflow.store.slots import Slots
from deviceflow.store.tokens import Tokens
from deviceflow.store.users import Users

FIRST_LOOK_S = 1.0


class Prepared(NamedTuple):
    """What is read from the store once, before the workers start."""

    installation: Installation
    signing_keys: list[SigningKey]


def open_signing_keys(
    settings: Settings, connection: Connection, clock: Callable[[], float] = time.time
) -> SigningKeys:
    """The door to the signing keys, for as long as what they sign may live."""
    tokens = settings.tokens
    longest = max(tokens.access_token_lifetime_s, tokens.id_token_lifetime_s)
    return SigningKeys(connection, longest, is_usable, clock)


class Parts:
    """What the endpoints and pages of one worker are made of."""

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        prepared: Prepared,
        pace_memory: memoryview,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.connection = connection
        self.installation = installation = prepared.installation
        self.clients = Clients(settings.clients)
        self.stored_clients = StoredClients(connection)
        self.signing_keys = open_signing_keys(settings, connection, clock)
        self.signer = Signer(prepared.signing_keys, settings.tokens.algorithm, clock)
        self._keys_of = installation.epoch
        self._has_read = False
        self.mirror = Mirror(connection, installation, clock)
        self.grants = Grants(connection, installation, self.mirror, Slots(connection), clock)
        self.mirror.resolve = self.grants.state_of
        self.mirror.reload = self.reload
        self.users = Users(connection, settings.users)
        self.tokens = Tokens(connection, installation, settings.tokens.refresh_token_idle_s, clock)
        self.access_tokens = AccessTokens(connection)
        self.sessions = Sessions(connection, installation, settings.pages.session_lifetime_s)
        self.limits = Limits(connection, installation)
        self.replay = Replay(connection, installation)
        self.proofs = Proofs(settings.issuer_url, installation, self.replay, clock)
        self.callers = Callers(settings.server.trusted_proxies)
        self.refusals = Refusals(self.callers, clock)
        self.authentication = ClientAuthentication(
            settings,
            clients=self.clients,
            stored_clients=self.stored_clients,
            replay=self.replay,
            limits=self.limits,
            refusals=self.refusals,
            callers=self.callers,
            clock=clock,
        )
        max_wait = settings.device.max_wait_s
        pace = PaceTable(pace_memory, settings.device.max_interval_s)
        self.polls = Polls(installation, self.mirror, pace, clock)
        self.held = HeldPolls(
            self.mirror, clock, max_held=settings.device.max_held, max_wait=max_wait
        )
        self.lane = Lane(
            self.polls, self.clients, clock, max_wait=max_wait, base=settings.base_path
        )

    async def reload(self) -> None:
        """Read clients and keys as they are now, and say what changed. Raises StoreUnavailable."""
        clients, keys = self._known_clients(), self.signer.known
        self.clients.adopt(await self.stored_clients.all())
        if self._has_read:
            tell_clients(clients, self._known_clients())
        await self._reload_keys()
        if self._has_read:
            tell_keys(keys, self.signer.known, self.signer.signing_key.key_id)
        self._has_read = True

    def _known_clients(self) -> dict[str, Client]:
        return {client.client_id: client for client in self.clients}

    async def _reload_keys(self) -> None:
        signing_keys = await self.signing_keys.read()
        if signing(signing_keys, self.signer.algorithm) is None:
            signing_keys = await self.signing_keys.add_first(await self._first_key())
        self.signer.adopt(signing_keys)
        self._keys_of = self.installation.epoch

    async def _first_key(self) -> SigningKey:
        """What to sign with where the store has no key for it (any more)."""
        if self._keys_of != self.installation.epoch:
            # The store lost its data: what this key has signed can still be verified.
            return msgspec.structs.replace(self.signer.signing_key, expires_at=0)
        # It was withdrawn, perhaps after a leak, and stays so; or a rotation at a host with
        # another algorithm superseded it, and what it signs from now on could not be verified.
        return await asyncio.to_thread(new_key, self.signer.algorithm, int(self.clock()))

    async def live(self, _: web.Application) -> AsyncIterator[None]:
        """Feed the mirror while the application runs; let everything go at its end."""
        await self._look_around()
        feeding = asyncio.create_task(self.mirror.run())
        yield
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding
        self.users.close()
        await self.connection.close()

    async def _look_around(self) -> None:
        """Know clients and keys as they are now before the first request is answered.

        A worker that replaces another one was handed the keys of the server's start. It has to
        start without a store, too; the mirror tries again, and says what is wrong.
        """
        with suppress(Exception):
            async with asyncio.timeout(FIRST_LOOK_S):
                await self.mirror.catch_up()
