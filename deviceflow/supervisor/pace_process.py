"""The process that shares this host's pace with the other hosts (`store/pace_sharing.py`).

It serves nothing, so it is not a worker. While it does not run, each host counts for itself.

It ends when the supervisor ends or is replaced by another program, because the kernel then closes
the supervisor's end of a line between them. The new program starts a process of its own.
"""

import asyncio
import os
import signal
import socket
import time
from contextlib import suppress
from typing import NoReturn

import structlog
import uvloop

from deviceflow.core.pace_gossip import PaceGossip
from deviceflow.store.opening import connect
from deviceflow.store.pace_sharing import PaceSharing
from deviceflow.supervisor.prctl import name_process
from deviceflow.supervisor.signals import HANDLED
from deviceflow.supervisor.workers import Workers, run_child
from deviceflow.tasks import end
from deviceflow.worker import WorkerContext

PROCESS_NAME = "deviceflow-pace"

RESTART_AFTER_S = 5.0
"""How long to wait before the process is started again, in s."""

log = structlog.get_logger()


class PaceProcess:
    """The process, if this host has a store that other hosts can reach."""

    def __init__(self, context: WorkerContext, workers: Workers) -> None:
        self._context = context
        self._workers = workers
        self._is_needed = bool(context.settings.redis.url)
        self._pid: int | None = None
        self._line: socket.socket | None = None
        self._start_at = 0.0

    def wait_s(self) -> float | None:
        """Return the time until `advance` has something to do, in s; None for never."""
        if self._pid is not None or not self._is_needed:
            return None
        return max(0.0, self._start_at - time.monotonic())

    def advance(self) -> None:
        """Start the process if it is time."""
        if self.wait_s() == 0:
            self._start()

    def take(self, pid: int, status: int) -> bool:
        """Take note of a child that has ended; return whether it was this process."""
        if pid != self._pid:
            return False
        self._pid = None
        self._start_at = time.monotonic() + RESTART_AFTER_S
        log.error("pace.process_died", pid=pid, status=status, restart_in_s=RESTART_AFTER_S)
        return True

    def stop(self) -> None:
        """End the process."""
        self._is_needed = False
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)

    def _start(self) -> None:
        if self._line is not None:
            self._workers.private.remove(self._line)
            self._line.close()
        self._line, other_end = socket.socketpair()
        self._workers.private.append(self._line)
        # As for a worker: no signal may reach the child before it has left them.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        pid = os.fork()
        if not pid:
            self._become_process(other_end)
        other_end.close()
        self._pid = pid
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)

    def _become_process(self, line: socket.socket) -> NoReturn:
        def share() -> None:
            self._workers.close_in_child()
            name_process(PROCESS_NAME)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_share(self._context, line))

        run_child(share, lambda error: log.critical("pace.process_failed", exc_info=error))


async def _share(context: WorkerContext, line: socket.socket) -> None:
    """Share the pace until the other end of `line` is closed."""
    connection = connect(context.settings, context.redis_url)
    gossip = PaceGossip(context.pace_memory)
    sharing = asyncio.create_task(PaceSharing(connection, gossip, time.monotonic).run())
    line.setblocking(False)  # noqa: FBT003, the socket's own signature
    ending = asyncio.create_task(asyncio.get_running_loop().sock_recv(line, 1))
    await asyncio.wait((sharing, ending), return_when=asyncio.FIRST_COMPLETED)
    await end(sharing)
    await connection.close()
