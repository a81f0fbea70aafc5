"""A test has one name: it can be run again by it, and several processes can share a run."""

import os
import subprocess
import sys

import pytest

from tests.stage.program import environment


def test_another_run_finds_the_same_tests(request: pytest.FixtureRequest) -> None:
    """With other random keys, other addresses in memory, and another order of sets.

    pytest-xdist has compared what its processes found: it begins no test if that differs.
    """
    if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
        assert sys.flags.hash_randomization
        assert "PYTHONHASHSEED" not in os.environ
        return
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-n0",
        "-p",
        "no:cacheprovider",
    ]
    ended = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        cwd=request.config.rootpath,
        env=environment(),
    )
    ids = {item.nodeid for item in request.session.items}
    assert ids - set(ended.stdout.splitlines()) == set()
