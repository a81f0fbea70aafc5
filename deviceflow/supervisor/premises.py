"""What outlives every worker: the sockets, the shared memory, the store, the control socket.

At an upgrade, the new program takes all of it over (handover.py).
"""

import asyncio
import socket
from contextlib import ExitStack
from pathlib import Path

import msgspec
import structlog

from deviceflow.admin.tokens import AdminTokens, AdminTokensError
from deviceflow.config import Settings
from deviceflow.core.store_url import StoreUrl
from deviceflow.ops.metrics.memory import LAYOUT, MetricsMemory
from deviceflow.ops.status_board import BOARD_BYTES, StatusBoard
from deviceflow.pages.demo import Demo
from deviceflow.parts import Secrets
from deviceflow.start import prepare
from deviceflow.store.causes import unusable
from deviceflow.store.embedded import EmbeddedValkey
from deviceflow.store.envelope import EnvelopeError
from deviceflow.store.envelope_source import open_envelope
from deviceflow.store.errors import RecordUnreadable, StoreSetupError, StoreUnavailable
from deviceflow.store.kept_keys import KeptKeys, keep_or_warn, read_kept
from deviceflow.store.owner import ForeignStoreError, check_issuer, issuer_in
from deviceflow.supervisor.control import Control
from deviceflow.supervisor.errors import StartError
from deviceflow.supervisor.handover import HandedPremises
from deviceflow.supervisor.shared_memory import SharedMemory
from deviceflow.supervisor.sockets import open_sockets
from deviceflow.worker import Sockets, WorkerContext

REVIVE_RETRY_S = 2.0

_SLOT_BYTES = 8

log = structlog.get_logger()


class Premises:
    """Opened for `settings`, or taken over as `handed`. Closed by `stack`."""

    def __init__(self, settings: Settings, handed: HandedPremises | None, stack: ExitStack) -> None:
        self._settings = settings
        self.sockets = _inherited(handed) if handed else open_sockets(settings.server)
        for sock in self._listening():
            stack.callback(sock.close)
        size = settings.device.pace_slots * _SLOT_BYTES
        self._pace = SharedMemory(size, handed.pace if handed else None)
        self._board = SharedMemory(BOARD_BYTES, handed.board if handed else None)
        self.board = StatusBoard(self._board.view)
        # A program that counts other things begins with other memory.
        is_known = handed is not None and handed.metrics_layout == LAYOUT.fingerprint
        self._metrics = MetricsMemory.for_workers(
            settings.server.workers, handed.metrics if handed and is_known else None
        )
        self.control = Control(None)
        self._embedded: EmbeddedValkey | None = None

    def open_store(self, handed: HandedPremises | None, stack: ExitStack) -> None:
        """Start the embedded store, if there is one. May raise StartError."""
        if self._settings.redis.url:
            return
        self._embedded = EmbeddedValkey(Path(self._settings.server.data_dir))
        stack.callback(self._embedded.stop)
        if handed and handed.store_lock is not None and handed.store_pid is not None:
            self._embedded.adopt(handed.store_lock, handed.store_pid)
            return
        try:
            self._embedded.start()
        except StoreSetupError as error:
            raise StartError(str(error)) from error

    def open_control(self, handed: HandedPremises | None, stack: ExitStack) -> None:
        """Listen for the commands `deviceflow reload` and `deviceflow upgrade`."""
        path = Path(self._settings.server.data_dir)
        descriptor = handed.control if handed else None
        self.control = Control.open(path, descriptor)
        stack.callback(self.control.close)

    def context(self, settings: Settings, demo: Demo | None) -> WorkerContext:
        """Prepare the store for workers with these settings. May raise StartError."""
        settings = self._with_ports(settings)
        redis_url = settings.redis.url or (self._embedded.url if self._embedded else "")
        secrets = read_secrets(settings, redis_url)
        return WorkerContext(
            settings,
            redis_url,
            secrets,
            self._pace.view,
            self._metrics,
            self.board,
            demo,
            read_admin_tokens(settings),
        )

    def stop_listening(self) -> None:
        """Close the listening sockets."""
        for sock in self._listening():
            sock.close()

    def store_check_s(self) -> float | None:
        """Return the time until the next look at the store, in s.

        The death of the embedded store is a SIGCHLD. If its revival has failed, no signal comes
        any more, so that case needs a time.
        """
        is_down = self._embedded is not None and self._embedded.has_died()
        return REVIVE_RETRY_S if is_down else None

    def revive_store(self) -> None:
        """Start the embedded store again if it has died."""
        if self._embedded is None or not self._embedded.has_died():
            return
        try:
            self._embedded.revive()
            log.error("store.died", consequence="started again with the data on disk")
        except StoreSetupError as error:
            log.critical("store.died", problem=str(error), retry_in_s=REVIVE_RETRY_S)

    def store_location(self) -> str:
        """Return the place of the store, for people."""
        if self._embedded is not None:
            return str(self._embedded.data_dir)
        return StoreUrl.parse(self._settings.redis.url or "").address

    def hand(self) -> HandedPremises:
        """Write down what a new program takes over."""
        store, listener = self._embedded, self.control.listener
        return HandedPremises(
            public=[pair.public.fileno() for pair in self.sockets],
            admin=[pair.admin.fileno() for pair in self.sockets],
            pace=self._pace.descriptor,
            board=self._board.descriptor,
            metrics=self._metrics.descriptor,
            metrics_layout=LAYOUT.fingerprint,
            control=listener.fileno() if listener else None,
            store_lock=store.lock if store else None,
            store_pid=store.pid() if store and not store.has_died() else None,
        )

    def _listening(self) -> list[socket.socket]:
        return [sock for pair in self.sockets for sock in pair]

    def _with_ports(self, settings: Settings) -> Settings:
        """Return the settings with the real ports in place of 0."""
        first = self.sockets[0]
        server = msgspec.structs.replace(
            settings.server,
            port=first.public.getsockname()[1],
            admin_port=first.admin.getsockname()[1],
        )
        return msgspec.structs.replace(settings, server=server)


def _inherited(handed: HandedPremises) -> list[Sockets]:
    return [
        Sockets(socket.socket(fileno=public), socket.socket(fileno=admin))
        for public, admin in zip(handed.public, handed.admin, strict=True)
    ]


def read_admin_tokens(settings: Settings) -> AdminTokens | None:
    """Read the tokens of operators; None if the settings name no file. May raise StartError."""
    if settings.admin.token_file is None:
        return None
    try:
        return AdminTokens.read(Path(settings.admin.token_file))
    except AdminTokensError as error:
        raise StartError(f"admin.token_file: {error}") from error


def read_secrets(settings: Settings, redis_url: str) -> Secrets:
    """Read the secrets that the workers need from the store, or from what this host has kept.

    May raise StartError: the store is away, and nothing was kept.
    """
    folder = Path(settings.server.data_dir)
    try:
        envelope = open_envelope(settings.keys)
    except EnvelopeError as error:
        raise StartError(str(error)) from error
    try:
        secrets = asyncio.run(prepare(settings, redis_url, envelope))
    except StoreSetupError as error:
        raise StartError(unusable(redis_url, error)) from error
    except EnvelopeError as error:
        raise StartError(f"the keys in the store are {error}") from error
    except RecordUnreadable as error:
        raise StartError(f"the secrets of the installation cannot be read: {error}") from error
    except StoreUnavailable as error:
        try:
            kept = read_kept(folder, envelope)
        except EnvelopeError as reason:
            raise StartError(f"the keys that this host has kept are {reason}") from reason
        if kept is None:
            raise StartError(unusable(redis_url, error)) from error
        try:
            check_issuer(issuer_in(kept.installation.fields()), settings.issuer_url)
        except ForeignStoreError as reason:
            raise StartError(unusable(redis_url, reason)) from reason
        consequence = "pending polls are answered; nothing else works until the store is back"
        at = StoreUrl.parse(redis_url).address
        log.warning("store.away_at_start", at=at, consequence=consequence)
        return Secrets(kept.installation, [], kept.clients)
    if settings.redis.url:
        keep_or_warn(folder, KeptKeys(secrets.installation, secrets.clients))
    return secrets
