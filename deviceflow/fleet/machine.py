"""The machine of a run, without its name and without personal data."""

import os
import platform
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deviceflow.fleet.result import Machine


def describe_machine(packages: Iterable[str]) -> Machine:
    """Describe this machine, with the versions of Python and of packages that are installed."""
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return Machine(
        cpu=_cpu(),
        cores=core_count(),
        memory_gb=round(memory, 1),
        system=f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        versions=versions,
    )


def core_count() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    match = re.search(r"model name\s*:\s*(.+)", path.read_text()) if path.exists() else None
    return match[1].strip() if match else platform.processor() or platform.machine()
