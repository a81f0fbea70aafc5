"""The worker processes: forked, signalled, reaped.

A pipe tells the workers that the supervisor is gone. Only the supervisor has its writing end, so
the kernel closes it even after a SIGKILL, and every worker sees the end of the pipe.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from typing import NamedTuple

import structlog

from deviceflow import worker
from deviceflow.supervisor.signals import STOPS
from deviceflow.worker import Sockets, WorkerContext

log = structlog.get_logger()


class EndedWorker(NamedTuple):
    """A worker that has ended. `status`: its exit status, or minus the number of a signal."""

    pid: int
    sockets: Sockets
    started: float
    status: int


class Workers:
    """The workers of a server that run. `sockets`: a pair for each of them."""

    def __init__(self) -> None:
        self.sockets: list[Sockets] = []
        self._running: dict[int, tuple[Sockets, float]] = {}
        self._lifeline, self._lifeline_writer = os.pipe()

    def __len__(self) -> int:
        return len(self._running)

    def fork(self, context: WorkerContext, sockets: Sockets) -> None:
        """Start a worker on `sockets`."""
        # The child inherits the signal handlers and the pipe. Until it has replaced them, a
        # SIGTERM to the child would be written into the supervisor's pipe, and the child would
        # not stop. So SIGTERM and SIGINT are blocked until then.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        pid = os.fork()
        if pid:
            self._running[pid] = (sockets, time.monotonic())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
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

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all workers."""
        for pid in self._running:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def reap(self) -> list[EndedWorker]:
        """Collect and return the workers that have ended."""
        ended = []
        while self._running:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._running:
                sockets, started = self._running.pop(pid)
                ended.append(EndedWorker(pid, sockets, started, os.waitstatus_to_exitcode(status)))
        return ended

    def _become_worker(self, context: WorkerContext, sockets: Sockets) -> None:
        signal.set_wakeup_fd(-1)
        # Ctrl-C reaches every process of the terminal. The supervisor alone decides to stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        # A copy of the writing end would keep the lifeline open after the supervisor's death.
        os.close(self._lifeline_writer)
        for other in self.sockets:
            if other is not sockets:
                other.public.close()
                other.admin.close()
        worker.run(context, sockets, self._lifeline)
