"""Ports for servers of the tests: no two processes of a run get the same one."""

import subprocess
import sys

import pytest

from tests.stage import ports
from tests.stage.checkout import ROOT
from tests.stage.waiting import PATIENCE_S

FIRST, LAST = 31_000, 32_000

OTHER = f"""
from tests.stage import ports

ports.FIRST, ports.LAST = {FIRST}, {LAST}
print(*(ports.free_port() for _ in range(100)))
"""


def test_another_process_gets_other_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port is taken as soon as it is given, before a server listens on it."""
    monkeypatch.setattr(ports, "FIRST", FIRST)
    monkeypatch.setattr(ports, "LAST", LAST)
    ours = {str(ports.free_port()) for _ in range(150)}
    theirs = subprocess.run(
        [sys.executable, "-c", OTHER],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=PATIENCE_S,
    ).stdout.split()
    assert len(ours) == 150
    assert len(set(theirs)) == 100
    assert ours.isdisjoint(theirs)
