"""The generations of workers: how one takes over from another, and how the dead are replaced.

A reload and an upgrade are the same here. All workers of a new generation are forked beside those
that serve. Each builds everything that can fail, and waits. If one of them fails, all of them end,
and nothing has changed. When all are prepared, all are ordered to serve: from now on the new
generation is the current one. As soon as a seat's new worker accepts connections, the old worker of
the seat retires: it closes its copy of the socket, answers what it holds, and ends each connection
after its next answer. The socket itself is never closed, so no connection is refused. The change
has ended when every older worker has closed its copy: a new connection then meets a new worker.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from deviceflow.ops.status_board import Phase
from deviceflow.orders import Order, Report
from deviceflow.supervisor.watchdog import Watchdog
from deviceflow.supervisor.workers import Ended, WorkerProcess, Workers
from deviceflow.worker import RETIRE_S, WorkerContext

RESTART_DELAY_S = 0.1
MAX_RESTART_DELAY_S = 5.0
HEALTHY_AFTER_S = 5.0
GRACE_S = 5.0

PREPARE_S = 120.0
"""How long a new generation may take to prepare. On a busy machine, that is a while."""

CLOSE_S = 5.0
"""How long a change waits for an older worker that does not close its sockets: it may hang."""

_LOOK_S = 0.01

log = structlog.get_logger()

Done = Callable[[list[str]], None]
"""Called once, when a change has ended: with the problems, or with none if it is done."""


@dataclass(kw_only=True)
class Change:
    """A new generation that does not serve at all seats yet. `name`: "reload" or "upgrade"."""

    name: str
    context: WorkerContext
    generation: int
    deadline: float
    done: Done
    committed: bool = False


class Generations:
    """The workers of a server, and the change that is under way, if any."""

    def __init__(self, workers: Workers, context: WorkerContext, generation: int = 1) -> None:
        self.workers = workers
        self.context = context
        self.generation = generation
        self.change: Change | None = None
        self._watchdog = Watchdog(workers)
        self._restarts: dict[int, float] = {}
        self._delay = RESTART_DELAY_S

    def start(self) -> None:
        """Start a worker at each seat."""
        for seat in range(len(self.workers.sockets)):
            self._fork_serving(seat)

    @property
    def serves(self) -> bool:
        """Whether a worker serves at each seat."""
        serving = {process.seat for process in self.workers if process.serves}
        return len(serving) == len(self.workers.sockets)

    def begin(self, name: str, context: WorkerContext, done: Done) -> None:
        """Begin to replace all workers."""
        generation = self.generation + 1
        deadline = time.monotonic() + PREPARE_S
        self.change = Change(
            name=name, context=context, generation=generation, deadline=deadline, done=done
        )
        for seat in range(len(self.workers.sockets)):
            self.workers.fork(context, seat, generation)

    def take(self, ended: Ended) -> None:
        """Note that a worker has ended, and plan its successor if it should have gone on."""
        process, change = ended.worker, self.change
        if process is None or process.retires_since is not None:
            return
        if change and not change.committed and process.generation == change.generation:
            # Its own lines, before this one, say why.
            log.error("worker.failed_to_prepare", pid=ended.pid, status=ended.status)
            self._give_up("a new worker ended before it could serve; the log says why")
        elif process.generation == self.generation:
            self._plan_restart(process, ended.status)

    def advance(self) -> None:
        """Do what is due."""
        self._watchdog.look(self.context.settings.server.watchdog_s)
        self._end_overdue()
        now = time.monotonic()
        for seat, due in list(self._restarts.items()):
            if due <= now:
                del self._restarts[seat]
                self._fork_serving(seat)
        self._advance_change()

    def wait_s(self) -> float | None:
        """Return the time until something is due, in s. None: nothing is planned."""
        now = time.monotonic()
        waits = [max(0.0, due - now) for due in self._restarts.values()]
        if self.change is not None:
            # A committed change waits for the board, and nothing wakes the supervisor when a worker
            # writes there. Before that, workers that retire are those of an earlier change.
            closing = self.change.committed and any(
                process.retires_since is not None for process in self.workers
            )
            waits.append(_LOOK_S if closing else max(0.0, self.change.deadline - now))
        waits += self._watchdog.waits(self.context.settings.server.watchdog_s)
        waits += [1.0 for process in self.workers if process.retires_since is not None]
        return min(waits, default=None)

    def _fork_serving(self, seat: int) -> None:
        self.workers.fork(self.context, seat, self.generation).order(Order.SERVE)

    def _plan_restart(self, process: WorkerProcess, status: int) -> None:
        if time.monotonic() - process.started >= HEALTHY_AFTER_S:
            self._delay = RESTART_DELAY_S
        log.error("worker.died", pid=process.pid, status=status, restart_in_s=self._delay)
        self._restarts[process.seat] = time.monotonic() + self._delay
        self._delay = min(self._delay * 2, MAX_RESTART_DELAY_S)

    def _advance_change(self) -> None:
        change = self.change
        if change is None:
            return
        if not change.committed:
            new = [process for process in self.workers if process.generation == change.generation]
            if all(process.report is Report.PREPARED for process in new):
                self._commit(change, new)
            elif time.monotonic() > change.deadline:
                self._give_up(f"the new workers were not prepared within {PREPARE_S:.0f} s")
            return
        for process in self.workers:
            if process.generation == change.generation and process.serves:
                self._retire_older(process)
        if self.serves and all(
            process.generation == change.generation or self._accepts_nothing(process)
            for process in self.workers
        ):
            self.change = None
            log.info("server.changed", change=change.name, generation=self.generation)
            change.done([])

    def _commit(self, change: Change, new: list[WorkerProcess]) -> None:
        change.committed = True
        # A committed change has no deadline: a worker that dies now is replaced like any other.
        change.deadline = float("inf")
        self.context, self.generation = change.context, change.generation
        self._restarts.clear()
        for process in new:
            process.order(Order.SERVE)

    def _fill_seats(self) -> None:
        """Plan a worker for each seat without one: there may be some after an upgrade."""
        taken = {process.seat for process in self.workers if process.retires_since is None}
        for seat in set(range(len(self.workers.sockets))) - taken - self._restarts.keys():
            self._restarts[seat] = time.monotonic()

    def _retire_older(self, successor: WorkerProcess) -> None:
        for process in self.workers:
            is_older = process.generation < successor.generation
            if process.seat == successor.seat and is_older and process.retires_since is None:
                process.order(Order.RETIRE)

    def _accepts_nothing(self, process: WorkerProcess) -> bool:
        """Return whether a worker has closed its sockets, or hangs."""
        if process.retires_since is None:
            return False
        is_closed = self.workers.cell(process).phase is Phase.RETIRING
        return is_closed or time.monotonic() - process.retires_since > CLOSE_S

    def _give_up(self, reason: str) -> None:
        change = self.change
        if change is None:
            return
        self.change = None
        for process in self.workers:
            if process.generation == change.generation:
                process.retires_since = time.monotonic()
                process.signal(signal.SIGKILL)
        consequence = "nothing changed"
        self._fill_seats()
        log.error(
            "server.change_refused", change=change.name, reason=reason, consequence=consequence
        )
        change.done([reason])

    def _end_overdue(self) -> None:
        """End the workers that were ordered to retire and have not ended in time."""
        longest = RETIRE_S + self.context.settings.server.shutdown_s + GRACE_S
        for process in self.workers:
            since = process.retires_since
            if since is not None and time.monotonic() - since > longest:
                process.signal(signal.SIGKILL)
