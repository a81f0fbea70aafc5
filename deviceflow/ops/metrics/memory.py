"""The memory that the workers of a host share: a row of counts for each, and the clients' names.

All numbers are unsigned 64-bit integers, zero at first. Only its owner writes to a row, and a
number is read and written as one machine word, so no lock guards them. Everybody may read.

A row outlives its worker. The worker that is started in place of a dead one takes the row over and
counts on, so a counter neither restarts nor counts twice. Who owns a row is a record lock of the
kernel (fcntl) on a byte of the memory's file: it ends with the process, however that ends. So a
row needs no process ids, and the supervisor has nothing to do with it.

A row:   the counts of `table`, in its order  |  the clients' counts
Behind the rows: the names of the clients, shared by all, so that a client has the same place in
every row. A place is given to a client when it is counted for the first time, under another
record lock. When all places are taken, further clients are counted together as OTHER.
"""

import fcntl
import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from typing import Self

from deviceflow.ops.metrics.metric import OTHER, Metric
from deviceflow.ops.metrics.table import TABLE

CLIENT_SERIES = 100
"""Cap on clients with a series of their own."""

_WORD = 8
_NAME_WORDS = 1 + 13
"""The length of a client id, then its bytes: 100 at the most (core/client.py)."""

_LONGEST_NAME = (_NAME_WORDS - 1) * _WORD


class Layout:
    """Where in a row the counts of each metric begin. `fingerprint`: differs if the layout does."""

    def __init__(self, table: tuple[Metric, ...]) -> None:
        self.starts: dict[str, int] = {}
        end = 0
        for metric in table:
            if not metric.by_client:
                self.starts[metric.name] = end
                end += metric.words
        for metric in table:
            if metric.by_client:
                self.starts[metric.name] = end
                # The last place is that of OTHER.
                end += CLIENT_SERIES + 1
        self.words = end
        self.other_client = CLIENT_SERIES
        self.fingerprint = blake2b(repr(self.starts).encode(), digest_size=8).hexdigest()


LAYOUT = Layout(TABLE)


class MetricsMemory:
    """The memory of `rows` rows. Make it before the workers are forked.

    `descriptor`: of memory that is there already, of as many rows and the same layout.
    """

    def __init__(self, rows: int, descriptor: int | None = None) -> None:
        self.rows = rows
        self._names_at = rows * LAYOUT.words
        self._names_lock = rows
        size = (self._names_at + CLIENT_SERIES * _NAME_WORDS) * _WORD
        # Open for as long as the memory is used: to close it would end the locks.
        self._file = _anonymous_file() if descriptor is None else descriptor
        if descriptor is None:
            # One that was given belongs to its giver: closed twice, it may be another file by then.
            weakref.finalize(self, _close, self._file)
        os.ftruncate(self._file, size)
        self._words = memoryview(mmap.mmap(self._file, size)).cast("Q")
        self._places: dict[str, int] = {}

    @classmethod
    def for_workers(cls, count: int, descriptor: int | None = None) -> Self:
        """Make the memory for `count` workers, and for as many that replace them meanwhile."""
        return cls(2 * count, descriptor)

    @property
    def descriptor(self) -> int:
        """The file that has the memory."""
        return self._file

    def claim(self) -> memoryview | None:
        """Take the first row that no living process has; None if there is none."""
        for number in range(self.rows):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            except OSError:
                continue
            return self.row(number)
        return None

    def row(self, number: int) -> memoryview:
        """Return one row."""
        start = number * LAYOUT.words
        return self._words[start : start + LAYOUT.words]

    def clients(self) -> list[str]:
        """Return the clients that have a place, in the order of their places; OTHER is the last."""
        self._read_places()
        return [*self._places, OTHER]

    def place_of(self, client_id: str) -> int:
        """Return the place of a client. It gets one if there is one left."""
        place = self._places.get(client_id)
        if place is None:
            place = self._new_place(client_id)
        return place

    def _new_place(self, client_id: str) -> int:
        name = client_id.encode()
        if len(self._places) >= CLIENT_SERIES or len(name) > _LONGEST_NAME:
            return LAYOUT.other_client
        with self._locked():
            # Another worker may have given it a place by now.
            self._read_places()
            place = self._places.get(client_id, len(self._places))
            if client_id not in self._places and place < CLIENT_SERIES:
                self._write_name(place, name)
        self._read_places()
        return place

    def _write_name(self, place: int, name: bytes) -> None:
        entry = self._entry(place)
        entry[1:].cast("B")[: len(name)] = name
        # The length comes last: without it, no reader looks at the name.
        entry[0] = len(name)

    def _read_places(self) -> None:
        for place in range(len(self._places), CLIENT_SERIES):
            entry = self._entry(place)
            if not entry[0]:
                return
            self._places[bytes(entry[1:].cast("B")[: entry[0]]).decode()] = place

    def _entry(self, place: int) -> memoryview:
        start = self._names_at + place * _NAME_WORDS
        return self._words[start : start + _NAME_WORDS]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep the other workers from writing names, for some microseconds."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, self._names_lock)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self._names_lock)


def _close(descriptor: int) -> None:
    """Close a file at the end; at the end of a process it may be closed already."""
    with suppress(OSError):
        os.close(descriptor)


def _anonymous_file() -> int:
    """Open a file without a name, in memory where the platform can (Linux)."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("deviceflow-metrics")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
