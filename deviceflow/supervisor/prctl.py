"""What a process says of itself to the kernel: its name, and that nobody may look into it.

prctl(2) is Linux only; elsewhere nothing happens.
"""

import ctypes
import sys

PR_SET_DUMPABLE = 4
PR_SET_NAME = 15


def forbid_inspection() -> None:
    """Keep other processes, also of the same user, from the memory and the environment of this one.

    They hold keys. It goes for debuggers, for /proc/PID/mem and /proc/PID/environ, and for core
    dumps. What is forked from this process inherits it; a program that it runs begins anew. Root
    may still look.
    """
    _prctl(PR_SET_DUMPABLE, 0)


def name_process(name: str) -> None:
    """Name this process in `ps -o comm` and `top`: 15 characters are shown.

    A process that nobody may look into cannot write /proc/self/comm, unless it is root's.
    """
    _prctl(PR_SET_NAME, name.encode("ascii"))


def _prctl(option: int, value: int | bytes) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
