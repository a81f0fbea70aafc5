"""What a process says of itself to the kernel, seen in a process of its own."""

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, os, pathlib
from deviceflow.supervisor.prctl import forbid_inspection, name_process
before = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
forbid_inspection()
name_process("deviceflow-test")
print(before, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), pathlib.Path("/proc/self/comm").read_text())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux only")
def test_nobody_looks_in_and_the_name_is_shown() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "0", "deviceflow-test"]
