"""The supervisor: opens sockets and shared memory, starts workers, and handles signals.

Its rules:
- The supervisor has no event loop and no threads. A forked child has only the thread that
  forked, so a lock that another thread held would stay locked in the child for ever.
- Each worker has its own listening socket on the same port (SO_REUSEPORT). The supervisor keeps
  all of them open. While a worker is being replaced, new connections wait in the queue of its
  socket; if the socket were closed, they would be refused.
- A signal handler does nothing. The C handler of Python writes the signal's number into a pipe
  (set_wakeup_fd), and the supervisor reads it where it waits. So a signal never interrupts a
  step halfway, and none is lost between a check and a wait.
- A pipe also tells the workers that the supervisor is gone. Only the supervisor has its writing
  end, so the kernel closes it even after a SIGKILL, and every worker sees the end of the pipe.
"""

import asyncio
import mmap
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from deviceflow import worker
from deviceflow.config import Settings
from deviceflow.core.store_url import StoreUrl
from deviceflow.ops.metrics.memory import MetricsMemory
from deviceflow.pages.demo import Demo
from deviceflow.start import prepare
from deviceflow.store.causes import unusable
from deviceflow.store.embedded import EmbeddedValkey
from deviceflow.store.errors import StoreSetupError, StoreUnavailable
from deviceflow.worker import Sockets, WorkerContext

BACKLOG = 1024
RESTART_DELAY_S = 0.1
MAX_RESTART_DELAY_S = 5.0
HEALTHY_AFTER_S = 5.0
REVIVE_RETRY_S = 2.0
GRACE_S = 5.0

_STOPS = {signal.SIGTERM, signal.SIGINT}

log = structlog.get_logger()


class StartError(Exception):
    """The server cannot start. The text is a line for the operator."""


class EndedWorker(NamedTuple):
    """A worker that has ended. `status`: its exit status, or minus the number of a signal."""

    pid: int
    sockets: Sockets
    started: float
    status: int


class Supervisor:
    """The server, in this process and its children, until SIGTERM or SIGINT."""

    def __init__(self, settings: Settings, demo: Demo | None = None) -> None:
        self.settings = settings
        self._demo = demo
        self._sockets: list[Sockets] = []
        self._workers: dict[int, tuple[Sockets, float]] = {}
        self._delay = RESTART_DELAY_S
        self._embedded: EmbeddedValkey | None = None
        self._signals, self._wakeup = os.pipe()
        self._lifeline, self._lifeline_writer = os.pipe()

    def run(self, ready: Callable[[Settings], None] | None = None) -> None:
        """Serve until a clean stop. Call `ready` when the server listens. May raise StartError."""
        with ExitStack() as stack:
            self._listen(stack)
            # From here on, a signal to stop waits in the pipe: if it ended the process at once,
            # the embedded store would run on.
            stack.enter_context(_handled_signals(self._wakeup))
            context = self._context(self._open_store(stack))
            for sockets in self._sockets:
                self._fork(context, sockets)
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
        self._sockets = [Sockets(*pair) for pair in zip(public, admin, strict=True)]
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
        except (StoreSetupError, StoreUnavailable) as error:
            raise StartError(unusable(redis_url, error)) from error
        # The map is anonymous and shared: all workers see the same table. The kernel allocates a
        # page only at the first write, so a large table costs no memory while it is unused.
        size = self.settings.device.pace_slots * 8
        return WorkerContext(
            self.settings,
            redis_url,
            secrets,
            memoryview(mmap.mmap(-1, size)),
            MetricsMemory.for_workers(self.settings.server.workers),
            self._demo,
        )

    def _fork(self, context: WorkerContext, sockets: Sockets) -> None:
        # The child inherits the signal handlers and the pipe. Until it has replaced them, a
        # SIGTERM to the child would be written into the supervisor's pipe, and the child would
        # not stop. So SIGTERM and SIGINT are blocked until then.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        pid = os.fork()
        if pid:
            self._workers[pid] = (sockets, time.monotonic())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
            return
        status = 1
        try:
            self._become_worker(context, sockets)
            status = 0
        except BaseException:
            log.critical("worker.failed", exc_info=True)
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _become_worker(self, context: WorkerContext, sockets: Sockets) -> None:
        signal.set_wakeup_fd(-1)
        # Ctrl-C reaches every process of the terminal. The supervisor alone decides to stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        # A copy of the writing end would keep the lifeline open after the supervisor's death.
        os.close(self._lifeline_writer)
        for other in self._sockets:
            if other is not sockets:
                other.public.close()
                other.admin.close()
        worker.run(context, sockets, self._lifeline)

    def _watch(self, context: WorkerContext) -> None:
        while not _STOPS & self._wait_for_signals(timeout=self._store_check_s()):
            self._revive_store()
            for ended in self._reap():
                self._pause_before_restart(ended)
                self._fork(context, ended.sockets)

    def _pause_before_restart(self, ended: EndedWorker) -> None:
        if time.monotonic() - ended.started >= HEALTHY_AFTER_S:
            self._delay = RESTART_DELAY_S
        log.error("worker.died", pid=ended.pid, status=ended.status, restart_in_s=self._delay)
        # A signal ends the pause. It stays in the pipe, and _watch reads it next.
        select.select([self._signals], [], [], self._delay)
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
        for sockets in self._sockets:
            sockets.public.close()
            sockets.admin.close()
        self._signal_workers(signal.SIGTERM)
        deadline = time.monotonic() + self.settings.server.shutdown_s + GRACE_S
        self._reap()
        while self._workers and time.monotonic() < deadline:
            self._wait_for_signals(timeout=0.1)
            self._reap()
        self._signal_workers(signal.SIGKILL)
        log.info("server.stopped")

    def _signal_workers(self, number: signal.Signals) -> None:
        for pid in self._workers:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _reap(self) -> list[EndedWorker]:
        """Collect and return the workers that have ended."""
        ended = []
        while self._workers:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._workers:
                sockets, started = self._workers.pop(pid)
                ended.append(EndedWorker(pid, sockets, started, os.waitstatus_to_exitcode(status)))
        return ended

    def _wait_for_signals(self, timeout: float | None) -> set[int]:
        """Wait for signals, at most `timeout` s, and return their numbers."""
        readable, _, _ = select.select([self._signals], [], [], timeout)
        return set(os.read(self._signals, 512)) if readable else set()

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
        return StoreUrl.parse(self.settings.redis.url or "").address


def bind(host: str, port: int, count: int, setting: str) -> list[socket.socket]:
    """Open `count` listening sockets on an address. `setting`: the setting of `port`.

    May raise StartError.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With SO_REUSEPORT, bind succeeds even if another server of the same user has the port.
        # So try the port without it first.
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            port = probe.getsockname()[1]
        return [_listening(family, kind, (address[0], port, *address[2:])) for _ in range(count)]
    except OSError as error:
        raise StartError(
            f"cannot listen on {host} port {port}: {error.strerror or error}. "
            "Is another server running there? Choose another port with "
            f"--{setting.replace('_', '-')} (or server.{setting})."
        ) from error


def _listening(family: int, kind: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(address)
    sock.listen(BACKLOG)
    sock.settimeout(0)
    return sock


@contextmanager
def _handled_signals(wakeup: int) -> Iterator[None]:
    """Write the numbers of SIGTERM, SIGINT and SIGCHLD into `wakeup`, and do nothing else."""
    os.set_blocking(wakeup, False)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
    previous_handlers = {number: signal.signal(number, lambda *_: None) for number in numbers}
    previous_fd = signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)


def _kind(redis_url: str | None) -> str:
    return redis_url.partition(":")[0] if redis_url else "embedded"
