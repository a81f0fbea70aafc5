"""Lines in a file that all processes of a host share, and that is rotated by size.

Each write is of whole lines, under a lock, so lines of several processes never mix. A process that
finds half a line at the end of the file, after a crash, starts on a new one.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from deviceflow.audit.chain import read_line
from deviceflow.audit.outlet import LinesNotWritten

LOCK_PATIENCE_S = 2.0
_LOCK_PAUSE_S = 0.01
_TAIL_BYTES = 16_384


class FileSink:
    """Appends to `path`. A file of more than `max_bytes` becomes `path.1`, and `kept` are kept."""

    name = "file"

    def __init__(self, path: Path, max_bytes: int, kept: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._descriptor: int | None = None
        # A thread of its own: passwords are hashed in those of the event loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")

    @property
    def folder(self) -> Path:
        """The folder that the file is in."""
        return self._path.parent

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep the file open until the block ends."""
        try:
            yield
        finally:
            # In the thread, behind a write that stands still: its descriptor must not become
            # another file's meanwhile.
            self._thread.submit(self.close)
            self._thread.shutdown(wait=False)

    async def write(self, lines: Sequence[bytes]) -> None:
        """Append lines, without holding up the event loop. May raise LinesNotWritten."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self.append, b"".join(lines))
        except OSError as error:
            raise LinesNotWritten(f"{self._path}: {error.strerror or error}") from error

    def append(self, text: bytes) -> None:
        """Append whole lines, all of them or none. May raise OSError."""
        with self._locked() as descriptor:
            size = os.fstat(descriptor).st_size
            is_cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            try:
                write_all(descriptor, b"\n" + text if is_cut else text)
            except OSError:
                # The disk is full: half a line would spoil the next one.
                with suppress(OSError):
                    os.ftruncate(descriptor, size)
                raise

    def last_place(self) -> str:
        """Return the place of the last line that can be read, empty if there is none."""
        for path in (self._path, numbered(self._path, 1)):
            for text in reversed(_last_lines(path)):
                line = read_line(text)
                if line is not None:
                    return str(line.place)
        return ""

    def close(self) -> None:
        """Close the file. The next line opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Give the file that has the name now, locked; rotated if it was full."""
        while True:
            descriptor = self._open()
            _lock(descriptor)
            try:
                if not _is_at(descriptor, self._path):
                    self.close()  # another process, or logrotate, has renamed it
                elif os.fstat(descriptor).st_size >= self._max_bytes:
                    self._rotate()
                    self.close()
                else:
                    yield descriptor
                    return
            finally:
                if self._descriptor is not None:
                    fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _open(self) -> int:
        if self._descriptor is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = _open_or_make(self._path)
        return self._descriptor

    def _rotate(self) -> None:
        for number in range(self._kept, 0, -1):
            older = numbered(self._path, number)
            with suppress(FileNotFoundError):
                older.rename(numbered(self._path, number + 1))
        self._path.rename(numbered(self._path, 1))
        with suppress(FileNotFoundError):
            numbered(self._path, self._kept + 1).unlink()


def numbered(path: Path, number: int) -> Path:
    """Return where a rotated file is: the larger the number, the older it is."""
    return path.with_name(f"{path.name}.{number}")


def _lock(descriptor: int) -> None:
    """Lock a file. May raise OSError: a process that stands still must not hold up all others."""
    until = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(_LOCK_PAUSE_S)
        else:
            return


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _open_or_make(path: Path) -> int:
    """Open the file, or make it. May raise OSError.

    A command may run as root. A file that it makes is given to the owner of the folder, the
    server's user. An attacker with the rights of that user could put a link in the place of the
    file, so that root writes to another file, or gives it away. So root follows no link, and gives
    away only what it has made.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    owner = path.parent.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return os.open(path, flags, 0o600)
    with suppress(FileExistsError):
        descriptor = os.open(path, flags | os.O_EXCL, 0o600)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def write_all(descriptor: int, text: bytes) -> None:
    """Write all of `text`. May raise OSError, and then a part of it may be written."""
    while text:
        text = text[os.write(descriptor, text) :]


def last_lines(path: Path, most_bytes: int) -> list[bytes]:
    """Return the last lines of a file, none if there is no file. May raise OSError.

    The first one may be cut.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most_bytes))
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def _last_lines(path: Path) -> list[bytes]:
    try:
        return last_lines(path, _TAIL_BYTES)
    except OSError:
        return []
