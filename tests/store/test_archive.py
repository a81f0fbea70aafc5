"""The file of an export: nothing of it can be read, changed or cut without the passphrase."""

import secrets
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.store import archive
from deviceflow.store.archive import VERSION, ArchiveReader, ArchiveWriter, Header
from deviceflow.store.snapshot import SnapshotError, StoredKey

PASSPHRASE = "correct horse battery"
REAL_KEY = archive._key
HEADER = Header(VERSION, 1_800_000_000, "0.1.0")
RECORDS = [
    StoredKey("df:users", "hash", 0, [b"ada", b"{}"]),
    StoredKey("df:g:{x}", "hash", 1_800_000_000_000, [b"state", b"pending"]),
    StoredKey("df:slots", "string", 0, b"7"),
    StoredKey("df:decisions:{feed}", "stream", 5, [b"1-0", [b"g", b"\xff\x00"]]),
]


def written(records: list[StoredKey], passphrase: str = PASSPHRASE) -> bytes:
    file = BytesIO()
    writer = ArchiveWriter(file, passphrase, HEADER)
    for record in records:
        writer.add(record)
    writer.close()
    return file.getvalue()


def read(data: bytes, passphrase: str = PASSPHRASE) -> list[StoredKey]:
    reader = ArchiveReader(BytesIO(data), passphrase)
    assert reader.header == HEADER
    return list(reader.records())


def large() -> list[StoredKey]:
    """Enough for several chunks: compression finds nothing in it."""
    return [StoredKey(f"df:{n}", "string", 0, secrets.token_bytes(50_000)) for n in range(5)]


@given(st.lists(st.sampled_from(RECORDS), max_size=50))
def test_what_was_written_is_read(records: list[StoredKey]) -> None:
    assert read(written(records)) == records


def test_several_chunks() -> None:
    records = large()
    assert read(written(records)) == records


def test_the_key_depends_on_passphrase_and_salt() -> None:
    """The real one: those of the other tests cost nothing."""
    made = {REAL_KEY(passphrase, salt) for passphrase in "pq" for salt in (b"s" * 16, b"t" * 16)}
    assert {len(key) for key in made} == {32}
    assert len(made) == 4


def test_nothing_shows() -> None:
    data = written(RECORDS)
    for part in (b"df:", b"pending", b"ada", PASSPHRASE.encode()):
        assert part not in data


def test_a_wrong_passphrase() -> None:
    with pytest.raises(SnapshotError, match="passphrase is wrong"):
        read(written(RECORDS), "another passphrase")


def test_another_file() -> None:
    with pytest.raises(SnapshotError, match="not a file of `deviceflow export`"):
        read(b"PNG" + written(RECORDS))


@pytest.mark.parametrize("records", [RECORDS, large()], ids=["one chunk", "several"])
def test_a_file_that_was_cut_off(records: list[StoredKey]) -> None:
    data = written(records)
    ends = {*range(37, 80), *range(37, len(data), 4999), len(data) - 1, 65_576 + 16}
    for end in sorted(end for end in ends if end < len(data)):
        with pytest.raises(SnapshotError):
            read(data[:end])


def test_chunks_that_were_exchanged() -> None:
    data = written(large())
    head, chunk = 36, 4 + 65_536 + 16
    first, second = data[head : head + chunk], data[head + chunk : head + 2 * chunk]
    with pytest.raises(SnapshotError):
        read(data[:head] + second + first + data[head + 2 * chunk :])


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_is_noticed(place: int, change: int) -> None:
    data = bytearray(written(RECORDS))
    data[place % len(data)] ^= change
    changed_salt_only = 20 <= place % len(data) < 36
    if not changed_salt_only:  # the quick key does not depend on it
        with pytest.raises(SnapshotError):
            read(bytes(data))


def test_a_later_version() -> None:
    file = BytesIO()
    ArchiveWriter(file, PASSPHRASE, Header(VERSION + 1, 1, "9.0")).close()
    with pytest.raises(SnapshotError, match=r"version 2, made by deviceflow 9\.0"):
        read(file.getvalue())
