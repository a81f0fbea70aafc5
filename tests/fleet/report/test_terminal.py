"""The summary in the terminal."""

from io import StringIO

import msgspec
import pytest
from rich.console import Console

from deviceflow.fleet.objectives import judge, read_objective
from deviceflow.fleet.report.terminal import console_of, show
from deviceflow.fleet.result import FleetResult
from tests.stage.fleet import HOSTILE, RESULT


def shown(result: FleetResult, width: int = 200) -> str:
    output = StringIO()
    show(Console(file=output, width=width), result)
    return output.getvalue()


def test_the_verdict_is_the_last_line() -> None:
    wanted = [read_objective("wrong outcomes = 0"), read_objective("poll p99 < 50 ms")]
    text = shown(msgspec.structs.replace(RESULT, objectives=judge(wanted, RESULT)))
    assert text.endswith("\n1 of 2 objectives not reached: wrong outcomes.\n")
    assert "not reached wrong outcomes: 3 (wanted exactly 0)" in text
    assert "reached     poll p99: 21 ms (wanted below 50 ms)" in text


def test_it_says_what_went_wrong() -> None:
    text = shown(RESULT)
    assert "wrong 3 x malformed answer, first at 0:05: The answer was no OAuth answer" in text
    assert HOSTILE in text
    assert "error 9 x connection refused" in text
    assert "Polls: 81 pending, 10 tokens, 9 error" in text
    assert "Note: the machine was busy" in text


def test_a_narrow_terminal_shows_every_figure() -> None:
    text = " ".join(shown(RESULT, width=40).split())
    assert "poll: count 91, mean 2 ms, p50 1.5 ms, p90 6 ms, p99 21 ms" in text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text


def test_a_file_has_room_for_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.stdout", StringIO())
    assert console_of().width == 120
    monkeypatch.setenv("COLUMNS", "60")
    assert console_of().width == 60


def test_a_run_without_anything() -> None:
    empty = msgspec.structs.replace(
        RESULT, series=[], latencies={}, polls={}, wrong={}, errors={}, notes=[]
    )
    assert "Polls: none" in shown(empty)
