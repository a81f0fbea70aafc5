"""The run while it goes on."""

import pytest
from rich.console import Console

from deviceflow.fleet import progress
from deviceflow.fleet.progress import Sums, watching
from deviceflow.fleet.result import PollOutcome, Second

SECOND = Second(
    at_s=4.0,
    devices=1000,
    pending=900,
    starts=5,
    polls={PollOutcome.PENDING: 180, PollOutcome.SLOW_DOWN: 2},
    errors={"HTTP 503": 3},
    wrong={"redirect": 1},
    poll_p50_ms=1.25,
    poll_p99_ms=20.0,
)


def test_a_line_every_five_seconds_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with watching(60) as watch:
        for at in range(7):
            watch(Second(at_s=float(at), polls={PollOutcome.PENDING: at}, poll_p99_ms=9.0 - at))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[:2] for line in lines] == [["5", "s"]]
    assert "polls/s: pending 2.0; p99 at most 9.0 ms" in lines[0]
    assert "\x1b" not in lines[0]


def test_a_terminal_has_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        progress, "Console", lambda **_: Console(force_terminal=True, width=80, color_system=None)
    )
    with watching(60) as watch:
        watch(SECOND)
    shown = capsys.readouterr().out
    for words in ("5 of 60 s", "polls: slow_down", "1.2 ms / 20.0 ms", "wrong: redirect", "1,000"):
        assert words in shown


def test_a_terminal_without_a_cursor_has_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(progress, "Console", lambda **_: Console(force_terminal=True))
    with watching(60) as watch:
        watch(SECOND)
    assert capsys.readouterr().err.startswith("    5 s  pending 900")


def test_sums_are_of_all_seconds() -> None:
    sums = Sums()
    sums.add(SECOND)
    sums.add(SECOND)
    rows = {name: (last, total) for name, last, total in sums.rows()}
    assert rows["starts"] == ("5", "10")
    assert rows["polls: pending"] == ("180", "360")
    assert dict(sums.faults()) == {"wrong: redirect": 2, "error: HTTP 503": 6}
    assert "p99 at most 20.0 ms; errors 6, wrong 2" in sums.line()
