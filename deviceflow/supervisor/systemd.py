"""What a service tells systemd, and the sockets that it may have opened (sd_notify(3)).

The protocol is a datagram of `NAME=value` lines. Without NOTIFY_SOCKET, nothing is sent.
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

FIRST_DESCRIPTOR = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""


class Notifier:
    """Tells systemd, if it has started this process, what the server does."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        watched = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "")
        self.watchdog_s = int(usec) / 1_000_000 if watched and usec.isdigit() else 0.0

    def ready(self, status: str) -> None:
        """Say that the server serves, after a start, a reload or an upgrade."""
        # An upgrade keeps the process, so this never changes. It is said for units that were
        # started through a wrapper.
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self, status: str) -> None:
        """Say that a reload or an upgrade has begun; `ready` says that it has ended."""
        # CLOCK_MONOTONIC, as Type=notify-reload compares it with the time of its SIGHUP.
        usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        self._send("RELOADING=1", f"MONOTONIC_USEC={usec}", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Say what the server does, for people."""
        self._send(f"STATUS={status}")

    def stopping(self) -> None:
        """Say that the server stops."""
        self._send("STOPPING=1", "STATUS=stopping")

    def alive(self) -> None:
        """Say that the supervisor works: systemd restarts the service if this does not come."""
        if self.watchdog_s:
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # A name that begins with "@" is in the abstract namespace.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.connect(address)
            sock.sendall("\n".join(lines).encode())


def activated_sockets(environ: Mapping[str, str]) -> dict[str, socket.socket]:
    """Return the sockets that systemd has opened for this process, by their names.

    A unit without FileDescriptorName has one nameless socket, which is the public one.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = int(environ.get("LISTEN_FDS", "0"))
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    found = {}
    for number in range(count):
        sock = socket.socket(fileno=FIRST_DESCRIPTOR + number)
        os.set_inheritable(sock.fileno(), False)  # noqa: FBT003
        sock.settimeout(0)
        name = names[number] if number < len(names) else ""
        found["admin" if name == "admin" else "public"] = sock
    return found
