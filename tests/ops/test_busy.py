"""How busy a process is."""

import time
from pathlib import Path

import pytest

from deviceflow.ops.busy import busy_s


def test_the_wait_for_a_core_counts(tmp_path: Path) -> None:
    schedstat = tmp_path / "schedstat"
    schedstat.write_text("1500000000 700000000 12\n", encoding="ascii")
    assert busy_s(schedstat) == pytest.approx(2.2)


@pytest.mark.parametrize("text", [None, "", "1 2", "a b c", "0 0 0\n"])
def test_without_it_the_time_on_a_core_counts(tmp_path: Path, text: str | None) -> None:
    schedstat = tmp_path / "schedstat"
    if text is not None:
        schedstat.write_text(text, encoding="ascii")
    before = time.thread_time()
    assert before <= busy_s(schedstat) <= time.thread_time()


def test_work_counts_and_sleep_does_not() -> None:
    before, ran = busy_s(), time.thread_time()
    while time.thread_time() - ran < 0.05:
        pass
    worked = busy_s() - before
    # The kernel brings its number up to date at each tick of its clock.
    assert worked > 0.03
    assert busy_s() < before + worked + 10
