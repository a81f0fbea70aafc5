"""Which version runs: the release, and in a checkout the commit."""

import subprocess
from pathlib import Path
from shutil import which

from deviceflow import __version__

_CHECKOUT = Path(__file__).parents[2]
_PATIENCE_S = 5.0


def version(folder: Path = _CHECKOUT) -> str:
    """Return "0.1.0", or in the checkout `folder` "0.1.0 (b53ac97)".

    A commit with "-dirty" behind it has changes that are not committed.
    """
    commit = _commit(folder)
    return f"{__version__} ({commit})" if commit else __version__


def _commit(folder: Path) -> str:
    git = which("git")
    # An installed package may lie inside somebody else's checkout: only its own root counts.
    if git is None or not (folder / ".git").exists():
        return ""
    command = [git, "describe", "--always", "--dirty", "--exclude=*"]
    try:
        described = subprocess.run(  # noqa: S603, the arguments are fixed
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return described.stdout.strip()
