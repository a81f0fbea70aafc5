"""The worker processes: start them, send them orders, read their reports, collect the dead."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import structlog

from deviceflow import worker
from deviceflow.ops.status_board import CELLS, Phase, StatusBoard, StatusCell
from deviceflow.orders import Order, Report
from deviceflow.supervisor.signals import HANDLED, leave_to_supervisor
from deviceflow.worker import Post, Sockets, WorkerContext

_READ_BYTES = 64

log = structlog.get_logger()


@dataclass(kw_only=True)
class WorkerProcess:
    """A worker that runs, as the supervisor sees it.

    `seat`: the number of its sockets. `generation`: grows with each reload and upgrade. `report`:
    how far it has come. `retires_since`: when it was ordered to retire (monotonic, s).
    `silent_ticks`: the number of the watchdog's ticks without a beat of its event loop.
    """

    pid: int
    seat: int
    generation: int
    cell: int
    line: socket.socket
    started: float
    report: Report | None = None
    retires_since: float | None = None
    beats: int = 0
    silent_ticks: int = 0

    @property
    def serves(self) -> bool:
        """Whether it accepts connections and goes on doing so."""
        return self.report is Report.SERVING and self.retires_since is None

    def order(self, order: Order) -> None:
        """Send an order."""
        with suppress(OSError):  # it has ended, and will be reaped
            self.line.send(order.value)
        if order is Order.RETIRE:
            self.retires_since = time.monotonic()

    def hear(self) -> None:
        """Read its reports."""
        try:
            for number in self.line.recv(_READ_BYTES):
                self.report = Report(bytes([number]))
        except OSError:
            return

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Ended(NamedTuple):
    """A child that has ended, and its exit status, or minus the number of a signal.

    `worker` is None for a child that is not a worker.
    """

    pid: int
    status: int
    worker: WorkerProcess | None


class Workers:
    """The workers of a server that run. `sockets`: a pair for each seat."""

    def __init__(self, sockets: list[Sockets], board: StatusBoard) -> None:
        self.sockets = sockets
        self.board = board
        self.private: list[socket.socket] = []
        self._running: dict[int, WorkerProcess] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[WorkerProcess]:
        return iter(list(self._running.values()))

    def cell(self, process: WorkerProcess) -> StatusCell:
        """Return what a worker says about itself."""
        return self.board.cell(process.cell)

    def adopt(self, process: WorkerProcess) -> None:
        """Take over a worker that was forked before an upgrade."""
        self._running[process.pid] = process

    def fork(self, context: WorkerContext, seat: int, generation: int) -> WorkerProcess:
        """Start a worker on the sockets of `seat`. It prepares, and waits for an order."""
        cell = self._free_cell()
        self.board.cell(cell).clear(Phase.STARTING)
        line, other_end = socket.socketpair()
        line.setblocking(False)  # noqa: FBT003, the socket's own signature
        # The child inherits the signal handlers and the pipe. Until it has replaced them, a
        # signal to the child would be written into the supervisor's pipe. So signals are blocked
        # until then.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        pid = os.fork()
        if not pid:
            line.close()
            self._become_worker(context, seat, Post(self.sockets[seat], other_end, cell))
        other_end.close()
        process = WorkerProcess(
            pid=pid,
            seat=seat,
            generation=generation,
            cell=cell,
            line=line,
            started=time.monotonic(),
        )
        self._running[pid] = process
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        return process

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all workers."""
        for process in self:
            process.signal(number)

    def reap(self) -> list[Ended]:
        """Collect the children that have ended."""
        ended: list[Ended] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            process = self._running.pop(pid, None)
            if process is not None:
                process.line.close()
                self.cell(process).clear(Phase.FREE)
            ended.append(Ended(pid, os.waitstatus_to_exitcode(status), process))

    def close_in_child(self, seat: int | None = None) -> None:
        """Close what a new child must not keep open: all sockets but those of its own seat."""
        # A copy of the supervisor's end would keep a line open after the supervisor's death.
        for line in (*(process.line for process in self), *self.private):
            line.close()
        for number, sockets in enumerate(self.sockets):
            if number != seat:
                sockets.public.close()
                sockets.admin.close()

    def _free_cell(self) -> int:
        used = {process.cell for process in self}
        return next(index for index in range(CELLS) if index not in used)

    def _become_worker(self, context: WorkerContext, seat: int, post: Post) -> NoReturn:
        def work() -> None:
            self.close_in_child(seat)
            worker.run(context, post)

        run_child(work, lambda error: log.critical("worker.failed", exc_info=error))


def run_child(work: Callable[[], None], log_failure: Callable[[BaseException], None]) -> NoReturn:
    """Do `work` in a process that has just been forked, and end it: 0, or 1 if it raises."""
    status = 1
    try:
        leave_to_supervisor()
        work()
        status = 0
    except BaseException as error:  # noqa: BLE001, whatever it is, it is logged and ends here
        log_failure(error)
    finally:
        with suppress(OSError):
            sys.stderr.flush()
        os._exit(status)
