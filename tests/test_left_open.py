"""A connection that a test leaves open fails the run, though no test of it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LEAVES_A_SERVER = """
import asyncio
import uvloop

def test_it():
    async def leave():
        {leave}

    loop = uvloop.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
"""


def run_of(folder: Path, leave: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_one.py").write_text(LEAVES_A_SERVER.format(leave=leave), encoding="utf-8")
    settings = ("-c", str(folder / "pytest.ini"), "-p", "tests.stage.left_open")
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = default\n",
        encoding="utf-8",
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", *settings, *options, "test_one.py"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["one process", "several"])
def test_what_is_left_open_fails_the_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    leave = "await asyncio.get_running_loop().create_server(asyncio.Protocol, '127.0.0.1', 0)"
    done = run_of(tmp_path, leave, *options)
    assert "1 passed" in done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "left open" in done.stdout
    assert "test_one.py::test_it: unclosed resource <TCPServer" in done.stdout


def test_a_run_that_leaves_nothing_open_passes(tmp_path: Path) -> None:
    done = run_of(tmp_path, "await asyncio.sleep(0)")
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert "left open" not in done.stdout
