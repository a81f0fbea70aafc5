"""The listening sockets.

Each worker has its own listening socket on the same port (SO_REUSEPORT). The supervisor keeps all
of them open. While a worker is being replaced, new connections wait in the queue of its socket; if
the socket were closed, they would be refused.

A socket that systemd has opened is one for all workers: they take turns at its queue.
"""

import os
import socket

from deviceflow.config import Server
from deviceflow.supervisor.errors import StartError
from deviceflow.supervisor.systemd import activated_sockets
from deviceflow.worker import Sockets

BACKLOG = 1024


def open_sockets(server: Server) -> list[Sockets]:
    """Open a pair of sockets for each worker, or take those of systemd. May raise StartError."""
    activated = activated_sockets(os.environ)
    public = _copies(activated.get("public"), server.workers) or bind(
        server.host, server.port, server.workers, "port"
    )
    admin = _copies(activated.get("admin"), server.workers) or bind(
        server.admin_host, server.admin_port, server.workers, "admin_port"
    )
    return [Sockets(*pair) for pair in zip(public, admin, strict=True)]


def _copies(sock: socket.socket | None, count: int) -> list[socket.socket]:
    """Return `count` descriptors of one socket; an empty list if there is none."""
    if sock is None:
        return []
    copies = [sock.dup() for _ in range(count)]
    sock.close()
    return copies


def bind(host: str, port: int, count: int, setting: str) -> list[socket.socket]:
    """Open `count` listening sockets on an address. `setting`: the setting of `port`.

    May raise StartError.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With SO_REUSEPORT, bind succeeds even if another server of the same user has the port.
        # So try the port without it first.
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            port = probe.getsockname()[1]
        return [_listening(family, kind, (address[0], port, *address[2:])) for _ in range(count)]
    except OSError as error:
        raise StartError(
            f"cannot listen on {host} port {port}: {error.strerror or error}. "
            "Is another server running there? Choose another port with "
            f"--{setting.replace('_', '-')} (or server.{setting})."
        ) from error


def _listening(family: int, kind: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(address)
    sock.listen(BACKLOG)
    sock.settimeout(0)
    return sock
