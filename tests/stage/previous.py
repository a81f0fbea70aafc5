"""The previous release, unpacked from the history of this checkout."""

import os
import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.stage.checkout import ROOT

COMMIT = "b53ac97168c515be3bde3582c27de64fb56448d6"
"""The previous release. At a release, this becomes the commit of the release before it."""


def unpack(folder: Path) -> Path:
    """Unpack the previous release into `folder`. Skip the test where there is no history."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed, so the previous release cannot be unpacked")
    if _git("rev-parse", "--show-toplevel") != str(ROOT):
        pytest.skip("this is no checkout of git, so there is no previous release in it")
    if _git("cat-file", "-t", COMMIT) != "commit":
        # In CI, a whole history without the release means that the name above is wrong.
        if "CI" in os.environ and _git("rev-parse", "--is-shallow-repository") == "false":
            pytest.fail(f"the history does not have the previous release, {COMMIT}")
        pytest.skip(f"this checkout does not have the previous release, {COMMIT}")
    archive = folder / "previous.zip"
    packing = _git("archive", "--format=zip", f"--output={archive}", COMMIT)
    assert packing == "", packing
    with ZipFile(archive) as file:
        file.extractall(folder)
    return folder


def _git(*arguments: str) -> str:
    """What git says, with what it complains of."""
    ended = subprocess.run(
        ["git", *arguments],  # noqa: S607, the one that `unpack` has found
        check=False,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ended.stdout.strip()
