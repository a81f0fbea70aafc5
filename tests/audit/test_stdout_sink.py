"""Lines on standard output."""

import os
import select
import socket

import pytest

from deviceflow.audit.outlet import LinesNotWritten
from deviceflow.audit.stdout_sink import StdoutSink


async def test_whole_lines_are_written_at_once() -> None:
    # A pair of sockets that keeps apart what is written at once, as a pipe does not.
    reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sink = StdoutSink(writing.fileno())
    lines = [b"%d" % i + b"x" * 1500 + b"\n" for i in range(6)]
    async with sink.open():
        await sink.write(lines)
    chunks = [reading.recv(1_000_000) for _ in range(3)]
    assert b"".join(chunks) == b"".join(lines)
    assert all(chunk.endswith(b"\n") and len(chunk) <= select.PIPE_BUF for chunk in chunks)
    reading.close()
    writing.close()


async def test_what_was_taken_in_part_is_written_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output may be a file, and its disk nearly full."""
    written: list[bytes] = []

    def take_a_part(_: int, data: bytes) -> int:
        written.append(data[:7])
        return len(written[-1])

    monkeypatch.setattr(os, "write", take_a_part)
    StdoutSink(-1).append(b"one line\nanother line\n")
    assert b"".join(written) == b"one line\nanother line\n"


async def test_a_reader_that_has_gone_is_said() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    sink = StdoutSink(writing)
    async with sink.open():
        with pytest.raises(LinesNotWritten, match="Broken pipe"):
            await sink.write([b"line\n"])
    os.close(writing)
