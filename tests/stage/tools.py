"""Programs of other projects that a test needs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stage.waiting import PATIENCE_S


def tool(name: str) -> str:
    """Return where a program is. Without it, the test is skipped, and on CI it fails."""
    beside = Path(sys.executable).parent
    found = shutil.which(name, path=f"{beside}:{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        reason = f"{name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def output_of(name: str, *arguments: str) -> str:
    """Run a program, which must succeed, and return all that it prints."""
    ended = subprocess.run(
        [tool(name), *arguments], check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )
    printed = ended.stdout + ended.stderr
    assert ended.returncode == 0, printed
    return printed
