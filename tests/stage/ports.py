"""Ports that are named before a server listens on them."""

import secrets
import socket

# Below the ports that systems give to whoever asks for any, so that no connection takes it
# meanwhile; and not the next one, which another run beside this one would choose as well.
FIRST, LAST = 10_000, 32_000


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
