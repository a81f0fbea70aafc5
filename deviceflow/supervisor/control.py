"""The control socket: `deviceflow reload` and `deviceflow upgrade` reach the server through it.

It is a Unix socket in `server.data_dir` that only the server's user can open. A command sends one
line, "reload" or "upgrade", and gets one line of JSON when the change has ended.
"""

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

CONTROL_NAME = "control.sock"

ANSWER_S = 600.0
"""How long a command waits for its answer, in s."""

LONGEST_ADDRESS = 100

_LONGEST_LINE = 64

log = structlog.get_logger()


class ControlAnswer(msgspec.Struct, frozen=True):
    """The answer to a command. `problems`: why nothing changed, a line each; empty if it did."""

    problems: list[str]


class ControlRequest(NamedTuple):
    """A command that waits for an answer on its connection."""

    command: str
    connection: socket.socket

    def answer(self, problems: Iterable[str]) -> None:
        """Answer the command. It may have gone in the meantime."""
        body = msgspec.json.encode(ControlAnswer(list(problems)))
        with suppress(OSError):
            self.connection.sendall(body + b"\n")
        self.connection.close()


class Control:
    """The server's end of the control socket. `listener`: None if it could not be made."""

    def __init__(self, listener: socket.socket | None) -> None:
        self.listener = listener
        self._waiting: dict[int, socket.socket] = {}

    @classmethod
    def open(cls, folder: Path, descriptor: int | None = None) -> "Control":
        """Listen in `folder`. `descriptor`: a socket that listens there already.

        Without a socket the server works, but only signals reach it.
        """
        if descriptor is not None:
            return cls(socket.socket(fileno=descriptor))
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(_listen(folder / CONTROL_NAME))
        except OSError as error:
            reason = error.strerror or str(error)
            log.warning("control.unavailable", folder=str(folder), reason=reason)
            return cls(None)

    def descriptors(self) -> list[int]:
        """Return the descriptors to wait for: `take` reads those that are readable."""
        listening = [] if self.listener is None else [self.listener.fileno()]
        return listening + list(self._waiting)

    def take(self, readable: set[int]) -> list[ControlRequest]:
        """Return the requests that have arrived."""
        requests = []
        for descriptor in readable & self._waiting.keys():
            connection = self._waiting.pop(descriptor)
            with suppress(OSError):
                command = connection.recv(_LONGEST_LINE).decode("ascii", "replace").strip()
                requests.append(ControlRequest(command, connection))
        if self.listener is not None and self.listener.fileno() in readable:
            with suppress(OSError):
                connection, _ = self.listener.accept()
                connection.settimeout(1)
                self._waiting[connection.fileno()] = connection
        return requests

    def close(self) -> None:
        """Stop listening. The file stays; the next server replaces it."""
        if self.listener is not None:
            self.listener.close()


def ask(folder: Path, command: str) -> ControlAnswer | None:
    """Send a command to the server of `folder`; return its answer, None if no server answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_S)
        try:
            with _address(folder / CONTROL_NAME) as address:
                connection.connect(address)
            connection.sendall(command.encode() + b"\n")
            with connection.makefile("rb") as answer:
                return msgspec.json.decode(answer.readline(), type=ControlAnswer)
        except (OSError, msgspec.DecodeError):
            return None


def _listen(path: Path) -> socket.socket:
    with _address(path) as address:
        if _is_answered(address):
            raise OSError("another server of this folder has it")
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            listener.bind(address)
            listener.listen()
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(before)
    listener.settimeout(0)
    return listener


def _is_answered(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(address) == 0


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """Give an address of `path` that a socket takes: 108 bytes on Linux, 104 on macOS."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
