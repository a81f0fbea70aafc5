"""A history: its file, and what a run that ends in the middle leaves behind."""

from pathlib import Path

import pytest

from tests.histories.history import History, Outcome, describe, digest, read
from tests.stage.clock import Clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


def test_what_is_written_is_read(path: Path) -> None:
    clock = Clock(100.0)
    with path.open("wb") as file:
        history = History(file, clock)
        with history.operation("device-1", "poll", grant="g") as poll:
            clock.now += 1.5
            poll.outcome, poll.result = Outcome.DONE, {"answer": "tokens", "jti": digest("secret")}
    assert read(path) == history.operations
    assert read(path)[0].completed == 1.5
    assert b"secret" not in path.read_bytes()


def test_an_operation_that_never_ends_may_have_happened(path: Path) -> None:
    with path.open("wb") as file:
        history = History(file, Clock(0.0))
        with history.operation("ada", "approve", grant="g", sub="ada"):
            file.flush()
            (left,) = read(path)
    assert left.outcome is Outcome.MAYBE
    assert left.completed is None
    assert left.ended == float("inf")


def test_an_operation_that_raises_may_have_happened() -> None:
    history = History(None, Clock(0.0))
    with pytest.raises(OSError, match="away"), history.operation("ada", "approve", grant="g"):
        raise OSError("away")
    (raised,) = history.operations
    assert raised.outcome is Outcome.MAYBE
    assert raised.may_have_happened
    assert history.changed == {"g"}


def test_a_person_can_read_it() -> None:
    history = History(None, Clock(0.0))
    with history.operation("device-1", "poll", grant="g", wait=5) as poll:
        poll.outcome, poll.result = Outcome.DONE, {"answer": "slow_down"}
    (line,) = describe(history.operations)
    assert "device-1" in line
    assert "wait=5 answer=slow_down" in line
