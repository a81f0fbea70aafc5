"""Ports that are named before a server listens on them."""

import os
import secrets
import socket
from collections import deque

# Below the ports that systems give to whoever asks for any, so that no connection takes it
# meanwhile; and not the next one, which another run beside this one would choose as well.
FIRST, LAST = 10_000, 32_000

LANES = 16

_given: deque[int] = deque(maxlen=200)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    while True:
        # Test processes side by side draw from different ports: a port that one of them has been
        # given is not bound yet.
        port = FIRST + secrets.randbelow((LAST - FIRST) // LANES) * LANES + os.getpid() % LANES
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.append(port)
            return port
