"""When a new generation of workers has taken over. The workers are rows without processes."""

import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import pytest

from deviceflow.ops.status_board import BOARD_BYTES, Phase, StatusBoard
from deviceflow.orders import Order, Report
from deviceflow.supervisor.generations import CLOSE_S, Generations
from deviceflow.supervisor.workers import WorkerProcess, Workers
from deviceflow.worker import Sockets, WorkerContext

CONTEXT = cast(
    "WorkerContext",
    SimpleNamespace(settings=SimpleNamespace(server=SimpleNamespace(watchdog_s=0, shutdown_s=1))),
)


class RowsOfWorkers(Workers):
    """Workers that were never forked. `lines`: what each would read, by its generation."""

    def __init__(self) -> None:
        sockets = cast("Sockets", None)
        super().__init__([sockets], StatusBoard(memoryview(bytearray(BOARD_BYTES))))
        self.lines: dict[int, socket.socket] = {}

    def fork(self, context: WorkerContext, seat: int, generation: int) -> WorkerProcess:
        assert context is CONTEXT
        ours, theirs = socket.socketpair()
        row: Any = {"pid": -generation, "cell": generation, "line": ours}
        process = WorkerProcess(seat=seat, generation=generation, started=time.monotonic(), **row)
        self.lines[generation] = theirs
        self.adopt(process)
        return process


@pytest.fixture
def workers() -> Iterator[RowsOfWorkers]:
    rows = RowsOfWorkers()
    yield rows
    for line in (*(process.line for process in rows), *rows.lines.values()):
        line.close()


@pytest.fixture
def generations(workers: RowsOfWorkers) -> Generations:
    """The second generation serves, and the first one has been told to retire."""
    generations = Generations(workers, CONTEXT)
    generations.start()
    workers.cell(next(iter(workers))).phase = Phase.SERVING
    generations.begin("reload", CONTEXT, lambda _: None)
    older, newer = workers
    older.report, newer.report = Report.SERVING, Report.PREPARED
    generations.advance()
    newer.report = Report.SERVING
    generations.advance()
    assert workers.lines[1].recv(8) == Order.SERVE.value + Order.RETIRE.value
    return generations


def test_a_change_ends_when_the_older_worker_has_closed_its_sockets(
    workers: RowsOfWorkers, generations: Generations
) -> None:
    older, _ = workers
    assert generations.change is not None
    assert 0 < cast("float", generations.wait_s()) < 1
    workers.cell(older).phase = Phase.RETIRING
    generations.advance()
    assert generations.change is None


def test_a_worker_that_hangs_does_not_hold_up_a_change(generations: Generations) -> None:
    later = time.monotonic() + CLOSE_S + 1
    with mock.patch("time.monotonic", return_value=later):
        generations.advance()
    assert generations.change is None
