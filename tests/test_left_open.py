"""A connection that a test leaves open fails the run, even if every test passes."""

import asyncio
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import uvloop

ROOT = Path(__file__).parents[1]

TEST_FILE = """
import asyncio
import uvloop

def test_it():
    async def leave():
        {leave}

    loop = uvloop.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
"""


def filters() -> str:
    """Those of the runs of this project."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[str] = settings["tool"]["pytest"]["ini_options"]["filterwarnings"]
    return "\n".join(f"    {each}" for each in found)


def run_of(folder: Path, leave: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_one.py").write_text(TEST_FILE.format(leave=leave), encoding="utf-8")
    plugins = ("-p", "xdist.plugin", "-p", "tests.stage.left_open")
    settings = ("-c", str(folder / "pytest.ini"), *plugins)
    (folder / "pytest.ini").write_text(
        f"[pytest]\nfilterwarnings =\n{filters()}\n", encoding="utf-8"
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", *settings, *options, "test_one.py"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
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


def test_the_runs_of_this_project_have_the_plugin(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.has_plugin("tests.stage.left_open")


async def test_tests_run_on_uvloop() -> None:
    """Else nothing here would count what they leave open."""
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
