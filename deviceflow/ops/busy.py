"""How busy this process is: for how long its main thread has had something to do.

That is the time in which it ran, and the time in which it waited for a core. A worker that shares
its core with other programs may be overloaded at a tenth of a core.
"""

import time
from collections.abc import Callable
from pathlib import Path

BusyClock = Callable[[], float]
"""A function that returns for how many s a process has been busy since it began."""

SCHEDSTAT = Path("/proc/self/schedstat")
"""Of the main thread: ns on a core, ns waiting for one, and how often (Linux, proc(5))."""

_NS_PER_S = 1_000_000_000


def busy_s(schedstat: Path = SCHEDSTAT) -> float:
    """Return for how long the main thread has been busy, in s. Call it in that thread.

    Where the kernel does not tell how long it waited, that counts as 0. What a hypervisor takes
    from a virtual machine counts as far as the kernel counts it.
    """
    try:
        ran, waited, _ = schedstat.read_text(encoding="ascii").split()
        # A kernel that counts neither says `0 0 0`.
        if int(ran):
            return (int(ran) + int(waited)) / _NS_PER_S
    except (OSError, ValueError):
        pass
    return time.thread_time()
