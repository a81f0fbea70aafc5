"""Core dumps: the memory of a process on disk, with the keys and passwords in it."""

import resource


def forbid_core_dumps() -> None:
    """Have this process and those that it starts leave none.

    The hard limit stays. So an operator who needs one can allow it while the server runs:
    `prlimit --core=unlimited --pid PID`.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
