"""Ports that are named before a server listens on them."""

import fcntl
import os
import secrets
import socket
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import IO

# Below the ports that systems give to whoever asks for any, so that no connection takes it
# meanwhile; and not the next one, which another run beside this one would choose as well.
FIRST, LAST = 10_000, 32_000

_given: set[int] = set()


def free_port() -> int:
    """Return a port that no server on 127.0.0.1 has, and that no process of the tests was given."""
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST)
        if port not in _given and _keep(port):
            _given.add(port)
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
