"""requirements.lock: what `make lock` has pinned is what pyproject.toml asks for.

`make sbom`, which continuous integration runs, installs it, and so finds a hash that is wrong.
"""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.stage.checkout import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = {
    "requirements.lock": PYPROJECT["project"]["dependencies"],
    "requirements-build.lock": PYPROJECT["build-system"]["requires"],
}


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """The version of each package in a lock, and how many files it may come in."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text)
    found = (re.match(r"([a-z0-9-]+)==([^ ]+) ", entry) for entry in entries)
    return {
        match[1]: (match[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", match.string)))
        for match in found
        if match
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_by_hashes(lock: str) -> None:
    pinned = pins(lock)
    for text in LOCKS[lock]:
        requirement = Requirement(text)
        name = requirement.name.lower()
        assert name in pinned, f"{text} is not pinned: run make lock"
        version, _ = pinned[name]
        assert version in requirement.specifier, f"{text}, but {version} is pinned: run make lock"
    assert min(hashes for _, hashes in pinned.values()) >= 1
    assert len(pinned) > len(LOCKS[lock]), "what they need is pinned, too"
