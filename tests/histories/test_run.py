"""A short run of everything: devices, people, operators and faults, and a history without a fault.

`make histories` runs for longer, and with every kind of store.
"""

import asyncio
from pathlib import Path

import pytest

from tests.histories.checker import check
from tests.histories.history import read
from tests.histories.report import report
from tests.histories.run import Plan, Summary, run
from tests.histories.site import SINGLE

SECONDS = 30.0
DEVICES = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("histories")


@pytest.fixture(scope="module")
def summary(folder: Path) -> Summary:
    return asyncio.run(run(Plan(SINGLE, SECONDS, DEVICES), folder))


def test_no_rule_is_broken(summary: Summary) -> None:
    assert not summary.violations, report([summary])


@pytest.mark.parametrize(
    "operation",
    [
        ("start", "done"),
        ("poll", "authorization_pending"),
        ("poll", "tokens"),
        ("refresh", "tokens"),
        ("approve", "done"),
        ("fault", "done"),
    ],
)
def test_all_of_it_happened(summary: Summary, operation: tuple[str, str]) -> None:
    assert summary.counts[operation] > 0


def test_the_history_is_kept(summary: Summary, folder: Path) -> None:
    kept = read(folder / "history.jsonl")
    assert len(kept) == summary.operations
    assert check(kept) == []


def test_a_report(summary: Summary) -> None:
    text = report([summary])
    assert "violations: 0" in text
    assert "poll: tokens" in text
