"""The listening sockets.

Each worker has its own listening socket on the same port (SO_REUSEPORT). The supervisor keeps all
of them open. While a worker is being replaced, new connections wait in the queue of its socket; if
the socket were closed, they would be refused.
"""

import socket

from deviceflow.supervisor.errors import StartError

BACKLOG = 1024


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
