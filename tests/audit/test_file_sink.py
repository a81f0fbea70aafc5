"""The file that the processes of a host share."""

import asyncio
import errno
import fcntl
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deviceflow.audit import file_sink
from deviceflow.audit.chain import Chain
from deviceflow.audit.events import AuditLine
from deviceflow.audit.file_sink import FileSink
from deviceflow.audit.outlet import LinesNotWritten
from tests.stage.waiting import until

LARGE = 10_000_000
NOBODY = 65_534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "audit.jsonl"


def test_lines_are_appended_for_the_servers_user_alone(path: Path) -> None:
    async def write() -> None:
        sink = FileSink(path, LARGE, 3)
        async with sink.open():
            await sink.write([b"one\n", b"two\n"])
            await sink.write([b"three\n"])

    asyncio.run(write())
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_the_end_closes_the_file_behind_a_write_that_stands_still(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, write, may_go = FileSink(path, LARGE, 3), os.write, threading.Event()

    def write_late(descriptor: int, text: bytes) -> int:
        may_go.wait()
        return write(descriptor, text)

    monkeypatch.setattr(os, "write", write_late)
    async with sink.open():
        writing = asyncio.create_task(sink.write([b"late\n"]))
        await until(lambda: sink._descriptor is not None)
    assert sink._descriptor is not None, "it is in use"
    may_go.set()
    await writing
    await until(lambda: sink._descriptor is None)
    assert await asyncio.to_thread(path.read_bytes) == b"late\n"


async def test_a_folder_that_cannot_be_made_is_said(path: Path) -> None:
    path.parent.write_text("a file")
    sink = FileSink(path, LARGE, 3)
    async with sink.open():
        with pytest.raises(LinesNotWritten, match="File exists"):
            await sink.write([b"one\n"])


def test_a_full_file_is_rotated_and_the_oldest_is_removed(path: Path) -> None:
    sink = FileSink(path, 10, 2)
    for number in range(5):
        sink.append(b"line of %d\n" % number)
    sink.close()
    assert path.read_bytes() == b"line of 4\n"
    assert path.with_name("audit.jsonl.1").read_bytes() == b"line of 3\n"
    assert path.with_name("audit.jsonl.2").read_bytes() == b"line of 2\n"
    assert len(list(path.parent.iterdir())) == 3


def test_another_process_that_has_rotated_is_followed(path: Path) -> None:
    """So is logrotate: the file that has the name is the one that is written."""
    sink, other = FileSink(path, LARGE, 2), FileSink(path, 10, 2)
    sink.append(b"before it\n")
    other.append(b"after\n")
    sink.append(b"here too\n")
    assert path.read_bytes() == b"after\nhere too\n"
    path.rename(path.with_name("taken"))
    sink.append(b"anew\n")
    assert path.read_bytes() == b"anew\n"
    sink.close()
    other.close()


def test_lines_of_several_writers_never_mix_and_none_is_lost(path: Path) -> None:
    """Each writer has a lock of its own, as processes do; the file is rotated all the while."""

    def write(name: int) -> None:
        sink = FileSink(path, 5_000, 100)
        for number in range(50):
            sink.append(b"%d:%d:%s\n" % (name, number, b"x" * number) * 3)
        sink.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    files = sorted(path.parent.iterdir())
    assert len(files) > 2
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    expected = {b"%d:%d:%s" % (n, i, b"x" * i) for n in range(4) for i in range(50)}
    assert len(lines) == 600
    assert set(lines) == expected


def test_half_a_line_of_a_crash_is_left_and_closed(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"whole\nha")
    sink = FileSink(path, LARGE, 2)
    sink.append(b"next\n")
    sink.close()
    assert path.read_bytes() == b"whole\nha\nnext\n"


def test_a_full_disk_leaves_no_half_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink, write, room = FileSink(path, LARGE, 2), os.write, 4
    sink.append(b"whole\n")

    def write_until_full(descriptor: int, text: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, text[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", write_until_full)
    with pytest.raises(OSError, match="No space"):
        sink.append(b"too long for it\n")
    assert path.read_bytes() == b"whole\n"
    room = 1000
    sink.append(b"again\n")
    assert path.read_bytes() == b"whole\nagain\n"
    sink.close()


def test_a_process_that_stands_still_with_the_lock_does_not_hold_up_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_sink, "LOCK_PATIENCE_S", 0.02)
    sink = FileSink(path, LARGE, 2)
    sink.append(b"one\n")
    with path.open("rb") as stuck:
        fcntl.flock(stuck, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            sink.append(b"two\n")
    sink.append(b"three\n")
    sink.close()
    assert path.read_bytes() == b"one\nthree\n"


def test_the_last_line_is_found_for_the_next_chain(path: Path) -> None:
    sink = FileSink(path, 1, 2)
    assert sink.last_place() == ""
    chain = Chain("7-8-9")
    for _ in range(2):
        sink.append(chain.add(AuditLine(time="t", event="grant.approved")))
    path.write_bytes(path.read_bytes() + b"half a li")
    assert sink.last_place() == "7-8-9:2"
    path.write_bytes(b"")
    assert sink.last_place() == "7-8-9:1", "of the file that was rotated"
    sink.close()


@pytest.fixture
def folder_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of another user, seen by root."""
    folder = tmp_path / "data"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return folder


def test_what_root_makes_is_the_servers(folder_of_the_server: Path) -> None:
    sink = FileSink(folder_of_the_server / "audit.jsonl", LARGE, 3)
    for line in (b"{}\n", b"[]\n"):
        sink.append(line)
        sink.close()
    made = folder_of_the_server / "audit.jsonl"
    assert made.read_bytes() == b"{}\n[]\n"
    assert made.stat().st_uid == folder_of_the_server.stat().st_uid


def test_root_follows_no_link_of_the_servers_user(
    folder_of_the_server: Path, tmp_path: Path
) -> None:
    """Neither written to nor given away."""
    others = tmp_path / "shadow"
    others.write_text("root")
    (folder_of_the_server / "audit.jsonl").symlink_to(others)
    with pytest.raises(OSError, match="symbolic"):
        FileSink(folder_of_the_server / "audit.jsonl", LARGE, 3).append(b"{}\n")
    assert others.read_text() == "root"
    assert others.stat().st_uid == tmp_path.stat().st_uid
