"""Ports that are named before a server listens on them."""

import fcntl
import os
import secrets
import socket
from collections import deque
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import IO

# Below the ports that systems give to whoever asks for any, so that no connection takes it
# meanwhile; and not the next one, which another run beside this one would choose as well.
FIRST, LAST = 10_000, 32_000

_given: deque[int] = deque()
_KEPT = 200
"""How many ports a process keeps from the others. Of older ones, all are in use or given up."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and no other process of the tests has."""
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST)
        if port not in _given and _keep(port):
            _given.append(port)
            if len(_given) > _KEPT:
                fcntl.lockf(_locks(), fcntl.LOCK_UN, 1, _given.popleft())
            return port


def _keep(port: int) -> bool:
    """Keep the port from other processes of the tests; return whether it can be used."""
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):  # another process has it
        return False
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            fcntl.lockf(_locks(), fcntl.LOCK_UN, 1, port)
            return False
    return True


@cache
def _locks() -> IO[bytes]:
    """A file of which each byte stands for a port. Its locks end with this process."""
    return Path(gettempdir(), f"deviceflow-tests-{os.getuid()}.ports").open("ab")
