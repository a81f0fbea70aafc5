"""Lines on standard output, for a collector of container logs. The log is on standard error."""

import asyncio
import select
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from deviceflow.audit.file_sink import write_all
from deviceflow.audit.outlet import LinesNotWritten

STDOUT = 1


class StdoutSink:
    """Writes to standard output, or to another `descriptor`.

    A pipe takes up to PIPE_BUF bytes at once (write(2)), so lines of several processes never mix.
    """

    name = "stdout"

    def __init__(self, descriptor: int = STDOUT) -> None:
        self._descriptor = descriptor
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep a thread until the block ends: a reader that is slow holds up nothing else."""
        try:
            yield
        finally:
            self._thread.shutdown(wait=False)

    async def write(self, lines: Sequence[bytes]) -> None:
        """Write lines. May raise LinesNotWritten."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._write, lines)
        except OSError as error:
            raise LinesNotWritten(error.strerror or type(error).__name__) from error

    def append(self, text: bytes) -> None:
        """Write whole lines, and wait until they are written. May raise OSError."""
        self._write(text.splitlines(keepends=True))

    def _write(self, lines: Sequence[bytes]) -> None:
        for chunk in _chunks(lines, select.PIPE_BUF):
            # A pipe takes all of it at once. A file on a disk that is nearly full takes a part.
            write_all(self._descriptor, chunk)


def _chunks(lines: Sequence[bytes], most_bytes: int) -> Iterator[bytes]:
    """Give lines in groups of up to `most_bytes`."""
    chunk = b""
    for line in lines:
        if chunk and len(chunk) + len(line) > most_bytes:
            yield chunk
            chunk = b""
        chunk += line
    if chunk:
        yield chunk
