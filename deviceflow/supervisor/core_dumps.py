"""Core dumps: the memory of a process on disk, with the keys and passwords in it."""

import resource


def forbid_core_dumps() -> None:
    """Have this process and those that it starts leave none.

    `server.debuggable` allows them. The hard limit stays, for the embedded store: an operator can
    allow one of it while it runs (`prlimit --core=unlimited --pid PID`).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
