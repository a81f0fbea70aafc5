"""The sdist and the wheel: built, checked, and the wheel installed into an empty environment.

INSTALL_PYTHONS names other interpreters to install it for: "python3.12:python3.13".
"""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deviceflow import __version__
from tests.stage.checkout import DOCS, ROOT, SHIPPED_SETTINGS
from tests.stage.ports import free_port
from tests.stage.program import environment
from tests.stage.waiting import PATIENCE_S
from tests.stage.wire import fetch, request_of

INSTALL_S = 200.0
PYTHONS = os.environ.get("INSTALL_PYTHONS", sys.executable).split(":")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both, built from a clean copy: the wheel from the sdist, as pip does."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_S)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


def description(wheel: Path) -> str:
    """What a package index shows."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return archive.read(name).decode().partition("\n\n")[2]


def test_the_checkers_of_the_package_index(dist: Path, wheel: Path) -> None:
    files = [str(path) for path in dist.iterdir()]
    assert len(files) == 2
    for command in (["twine", "check", "--strict", *files], ["check_wheel_contents", str(wheel)]):
        ended = subprocess.run(
            [sys.executable, "-m", *command], check=False, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_index_shows_no_dead_link(wheel: Path) -> None:
    """Links and pictures of the repository are gone, and their words are still there."""
    shown = description(wheel)
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)", shown) == []
    assert "- Settings, and a file with all of them" in shown
    assert "# deviceflow\n" in shown


def test_the_sdist_is_enough_to_test_and_to_read(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = [
        "SECURITY.md",
        "Makefile",
        ".ci/run",
        "CHANGELOG.md",
        "docs/design.md",
        "config/deviceflow.toml",
    ]
    assert {*expected, "tests/conftest.py", "templates/base.html"} <= names
    assert [name for name in names if "/.venv" in name or "__pycache__" in name] == []


@pytest.fixture(scope="module", params=PYTHONS)
def command(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The command of a fresh environment that has only the wheel and what it requires.

    uv installs in 2 s what takes pip 12. pip does it where uv cannot, as in `make setup`.
    """
    venv = tmp_path_factory.mktemp("environment") / "venv"
    make = [request.param, "-m", "venv", str(venv)]
    uv = Path(sys.executable).parent / "uv"
    if uv.exists():
        subprocess.run([*make, "--without-pip"], check=True, timeout=INSTALL_S)
        into = ["--quiet", "--python", str(venv / "bin/python")]
        quick = [str(uv), "pip", "install", *into, str(wheel)]
        if not subprocess.run(quick, check=False, timeout=INSTALL_S).returncode:
            return venv / "bin" / "deviceflow"
    pip = [str(venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    for step in (make, pip):
        ended = subprocess.run(step, check=False, capture_output=True, text=True, timeout=INSTALL_S)
        assert ended.returncode == 0, ended.stderr
    return venv / "bin" / "deviceflow"


def run(command: Path, *arguments: str) -> str:
    """Run it in its own environment, and return what it prints."""
    ended = subprocess.run(
        [str(command), *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=command.parent,
        env=environment(),
    )
    return ended.stdout


def test_the_version(command: Path) -> None:
    assert run(command, "--version") == f"deviceflow, version {__version__}\n"


def test_a_settings_file_from_the_wheel(command: Path, tmp_path: Path) -> None:
    file = tmp_path / "deviceflow.toml"
    file.write_text(run(command, "config"), encoding="utf-8")
    assert file.read_bytes() == SHIPPED_SETTINGS.read_bytes()
    assert run(command, "check", str(file)) == f"{file}: ok (1 client, 0 users)\n"


def test_the_first_steps(command: Path) -> None:
    """The lines of the page, word for word, in a clean folder."""
    page = (DOCS / "operations" / "install.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"## The first steps\n\n```sh\n(.*?)```", page, re.DOTALL)
    # A short path, so that the store's socket is in its data directory.
    with TemporaryDirectory(prefix="df-") as folder:
        done = subprocess.run(
            ["/bin/sh", "-euc", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            cwd=folder,
            env=environment() | {"PATH": f"{command.parent}:/usr/bin:/bin"},
        )
    checked, added, client = done.stdout.splitlines()
    assert checked == "deviceflow.toml: ok (1 client, 0 users)"
    assert added == "added alice"
    assert client.startswith("tv-app ")


def test_the_demo(command: Path, tmp_path: Path) -> None:
    """Its server and its embedded store start, it shows its page, and it says nothing else."""
    port = free_port()
    with demo(command, tmp_path, port) as welcome:
        assert welcome.startswith("\n  deviceflow is running.")
        assert f"http://127.0.0.1:{port}/demo" in welcome
        assert fetch(request_of(f"http://127.0.0.1:{port}/demo")).status == 200


@contextmanager
def demo(command: Path, folder: Path, port: int) -> Iterator[str]:
    """What it says when it is ready, on a machine that allows as many files as usual."""
    few_files = f'ulimit -n 1024 && exec "{command}" demo --port {port}'
    with subprocess.Popen(
        ["/bin/sh", "-c", few_files],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            while "Ctrl-C stops it" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            yield said
        finally:
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
