"""The shared memory: rows that outlive their workers, and one place for each client."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deviceflow.ops.metrics.memory import CLIENT_SERIES, LAYOUT, MetricsMemory
from deviceflow.ops.metrics.metric import OTHER


@contextmanager
def worker(action: Callable[[], object]) -> Iterator[None]:
    """A process that does `action`, then lives until the end of the block."""
    done, say_done = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os.write(say_done, b"x")
            signal.pause()
    os.read(done, 1)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(done)
        os.close(say_done)


def add_to_a_row(memory: MetricsMemory, number: int) -> None:
    row = memory.claim()
    assert row is not None
    row[0] += number


def first_counts(memory: MetricsMemory) -> list[int]:
    return [memory.row(number)[0] for number in range(memory.rows)]


def test_each_worker_has_a_row() -> None:
    memory = MetricsMemory(3)
    with worker(lambda: add_to_a_row(memory, 1)), worker(lambda: add_to_a_row(memory, 10)):
        assert first_counts(memory) == [1, 10, 0]


def test_the_next_worker_goes_on_with_the_row_of_a_killed_one() -> None:
    memory = MetricsMemory(3)
    with worker(lambda: add_to_a_row(memory, 1)):
        with worker(lambda: add_to_a_row(memory, 10)):
            pass
        with worker(lambda: add_to_a_row(memory, 100)):
            assert first_counts(memory) == [1, 110, 0]


def test_there_may_be_no_row_left() -> None:
    memory = MetricsMemory(1)
    with worker(memory.claim):
        assert memory.claim() is None
    assert memory.claim() is not None


def test_there_is_room_for_workers_that_replace_others_meanwhile() -> None:
    assert MetricsMemory.for_workers(4).rows >= 8


def test_a_client_has_the_same_place_for_all_workers() -> None:
    memory = MetricsMemory(2)
    assert memory.place_of("tv") == 0
    with worker(lambda: [memory.place_of(name) for name in ("radio", "tv", "x" * 100)]):
        assert memory.place_of("printer") == 3
        assert memory.clients() == ["tv", "radio", "x" * 100, "printer", OTHER]


def test_many_clients_share_the_last_place() -> None:
    memory = MetricsMemory(1)
    places = [memory.place_of(f"client_{number}") for number in range(CLIENT_SERIES + 50)]
    assert places == [*range(CLIENT_SERIES), *[LAYOUT.other_client] * 50]
    assert memory.place_of("client_0") == 0
    assert memory.clients()[-2:] == [f"client_{CLIENT_SERIES - 1}", OTHER]


def test_a_name_that_is_too_long_for_the_memory_is_none_of_a_client() -> None:
    memory = MetricsMemory(1)
    assert memory.place_of("x" * 1000) == LAYOUT.other_client
    assert memory.clients() == [OTHER]
