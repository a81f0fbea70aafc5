"""What `make` would run, and the parts of `.ci/run`."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def planned(*arguments: str) -> str:
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make on this machine")
    done = subprocess.run(
        [make, "--dry-run", "--directory", str(ROOT), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_demo_on_another_port() -> None:
    assert "deviceflow demo --port 8700\n" in planned("demo", "PORT=8700")


def test_histories_for_half_an_hour() -> None:
    command = "python -m tests.histories --seconds"
    assert f"{command} 300 \n" in planned("histories")
    assert f"{command} 1800 --store=single\n" in planned(
        "histories", "SECONDS=1800", "STORE=single"
    )


def test_fuzzing_the_readers() -> None:
    command = "python -m tests.fuzz --inputs"
    assert f"{command} 1000000 \n" in planned("fuzz-readers")
    assert f"{command} 10000000 --seed=7\n" in planned("fuzz-readers", "INPUTS=10000000", "SEED=7")


def test_clean_removes_the_demo_and_no_data() -> None:
    words = planned("clean").split()
    assert ".demo" in words
    assert "deviceflow-data" not in words


@pytest.mark.parametrize("wrong", [("--without", "tests"), ("--without",), ("fuzz",)])
def test_a_part_of_ci_that_does_not_exist(wrong: tuple[str, ...]) -> None:
    """It says which there are, and runs nothing."""
    done = subprocess.run(
        ["/bin/bash", str(ROOT / ".ci" / "run"), *wrong],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    parts = [line.split()[0] for line in done.stderr.splitlines()[1:]]
    assert parts == ["fuzz", "browser", "clients", "shapes"]
