"""The server: its sockets, its store and its workers, from the start to a clean stop."""

import asyncio
import mmap
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import structlog

from deviceflow.config import Settings
from deviceflow.pages.demo import Demo
from deviceflow.start import prepare
from deviceflow.store.connection import address_of
from deviceflow.store.embedded import EmbeddedValkey
from deviceflow.store.errors import StoreSetupError, StoreUnavailable
from deviceflow.supervisor.errors import StartError
from deviceflow.supervisor.signals import STOPS, SignalPipe
from deviceflow.supervisor.sockets import bind
from deviceflow.supervisor.workers import EndedWorker, Workers
from deviceflow.worker import Sockets, WorkerContext

RESTART_DELAY_S = 0.1
MAX_RESTART_DELAY_S = 5.0
HEALTHY_AFTER_S = 5.0
REVIVE_RETRY_S = 2.0
GRACE_S = 5.0

log = structlog.get_logger()


class Supervisor:
    """The server, in this process and its children, until SIGTERM or SIGINT."""

    def __init__(self, settings: Settings, demo: Demo | None = None) -> None:
        self.settings = settings
        self._demo = demo
        self._workers = Workers()
        self._delay = RESTART_DELAY_S
        self._embedded: EmbeddedValkey | None = None
        self._signals = SignalPipe()

    def run(self, ready: Callable[[Settings], None] | None = None) -> None:
        """Serve until a clean stop. Call `ready` when the server listens. May raise StartError."""
        with ExitStack() as stack:
            self._listen(stack)
            # From here on, a signal to stop waits in the pipe: if it ended the process at once,
            # the embedded store would run on.
            stack.enter_context(self._signals.handled())
            context = self._context(self._open_store(stack))
            for sockets in self._workers.sockets:
                self._workers.fork(context, sockets)
            self._log_listening()
            if ready:
                ready(self.settings)
            self._watch(context)
            self._stop()

    def _listen(self, stack: ExitStack) -> None:
        server = self.settings.server
        public = bind(server.host, server.port, server.workers, "port")
        admin = bind(server.admin_host, server.admin_port, server.workers, "admin_port")
        for sock in (*public, *admin):
            stack.callback(sock.close)
        self._workers.sockets = [Sockets(*pair) for pair in zip(public, admin, strict=True)]
        server = msgspec.structs.replace(
            server,
            port=public[0].getsockname()[1],
            admin_port=admin[0].getsockname()[1],
        )
        self.settings = msgspec.structs.replace(self.settings, server=server)

    def _open_store(self, stack: ExitStack) -> str:
        if self.settings.redis.url:
            return self.settings.redis.url
        self._embedded = EmbeddedValkey(Path(self.settings.server.data_dir))
        try:
            return stack.enter_context(self._embedded).url
        except StoreSetupError as error:
            raise StartError(str(error)) from error

    def _context(self, redis_url: str) -> WorkerContext:
        try:
            secrets = asyncio.run(prepare(self.settings, redis_url))
        except StoreUnavailable as error:
            raise StartError(
                f"cannot reach Redis at {address_of(redis_url)}; "
                "is it running, and is redis.url right?"
            ) from error
        # The map is anonymous and shared: all workers see the same table. The kernel allocates a
        # page only at the first write, so a large table costs no memory while it is unused.
        size = self.settings.device.pace_slots * 8
        return WorkerContext(
            self.settings, redis_url, secrets, memoryview(mmap.mmap(-1, size)), self._demo
        )

    def _watch(self, context: WorkerContext) -> None:
        while not STOPS & self._signals.wait(timeout=self._store_check_s()):
            self._revive_store()
            for ended in self._workers.reap():
                self._pause_before_restart(ended)
                self._workers.fork(context, ended.sockets)

    def _pause_before_restart(self, ended: EndedWorker) -> None:
        if time.monotonic() - ended.started >= HEALTHY_AFTER_S:
            self._delay = RESTART_DELAY_S
        log.error("worker.died", pid=ended.pid, status=ended.status, restart_in_s=self._delay)
        self._signals.pause(self._delay)
        self._delay = min(self._delay * 2, MAX_RESTART_DELAY_S)

    def _store_check_s(self) -> float | None:
        """Return how long to wait for signals, in s.

        The death of the embedded store is a SIGCHLD. If its revival has failed, no signal comes
        any more, so that case needs a time.
        """
        is_down = self._embedded is not None and self._embedded.has_died()
        return REVIVE_RETRY_S if is_down else None

    def _revive_store(self) -> None:
        if self._embedded is None or not self._embedded.has_died():
            return
        try:
            self._embedded.revive()
            log.error("store.died", consequence="started again with the data on disk")
        except StoreSetupError as error:
            log.critical("store.died", problem=str(error), retry_in_s=REVIVE_RETRY_S)

    def _stop(self) -> None:
        log.info("server.stopping")
        for sockets in self._workers.sockets:
            sockets.public.close()
            sockets.admin.close()
        self._workers.signal(signal.SIGTERM)
        deadline = time.monotonic() + self.settings.server.shutdown_s + GRACE_S
        self._workers.reap()
        while self._workers and time.monotonic() < deadline:
            self._signals.wait(timeout=0.1)
            self._workers.reap()
        self._workers.signal(signal.SIGKILL)
        log.info("server.stopped")

    def _log_listening(self) -> None:
        server = self.settings.server
        log.info(
            "server.listening",
            address=msgspec.structs.replace(self.settings, issuer=None).issuer_url,
            issuer=self.settings.issuer_url,
            admin=f"http://{server.admin_host}:{server.admin_port}",
            workers=server.workers,
            store=_kind(self.settings.redis.url),
            store_at=self._store_location(),
        )

    def _store_location(self) -> str:
        if self._embedded is not None:
            return str(self._embedded.data_dir)
        return address_of(self.settings.redis.url or "")


def _kind(redis_url: str | None) -> str:
    return redis_url.partition(":")[0] if redis_url else "embedded"
