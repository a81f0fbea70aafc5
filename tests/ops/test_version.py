"""The version, with the commit of a checkout."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from deviceflow import __version__
from deviceflow.ops.version import version

NOBODY = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com")


def git(folder: Path, *arguments: str) -> str:
    command = which("git")
    if command is None:
        pytest.skip("git is not installed")
    done = subprocess.run(
        [command, *NOBODY, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_an_installed_package_has_its_release_only(tmp_path: Path) -> None:
    assert version(tmp_path) == __version__


def test_a_checkout_has_its_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    file = tmp_path / "file"
    file.write_text("first")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "A first commit")
    commit = git(tmp_path, "rev-parse", "--short", "HEAD")
    assert version(tmp_path) == f"{__version__} ({commit})"
    file.write_text("second")
    assert version(tmp_path) == f"{__version__} ({commit}-dirty)"


def test_a_folder_inside_a_checkout_of_something_else(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    inside = tmp_path / "site-packages"
    inside.mkdir()
    assert version(inside) == __version__
