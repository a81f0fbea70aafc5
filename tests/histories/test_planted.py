"""Every mistake can still be planted: what it replaces is there."""

import subprocess
import sys
from pathlib import Path

from deviceflow.store.scripts.lua import source
from tests.histories.planted import BUGS, variables
from tests.stage.program import environment

ROOT = Path(__file__).parents[2]


def test_every_mistake() -> None:
    """In a process of its own, which nobody uses afterwards."""
    program = (
        "from tests.histories.planted import BUGS, plant\n"
        "from deviceflow.store import scripts\n"
        "for name in BUGS: plant(name)\n"
        "print(scripts.source('rotate_refresh_token'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() != source("rotate_refresh_token").strip()


def test_a_host_imports_it() -> None:
    """The environment of a host is enough."""
    program = "import deviceflow.core.grant as g; print(('denied', 'approve') in g.TRANSITIONS)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=ROOT,
        env=environment() | variables("denial-overwritten"),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "True"
    assert "denial-overwritten" in BUGS
