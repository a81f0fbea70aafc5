"""The status board: what each process of a host says about itself, in memory that all share.

A worker writes into a cell of its own; the supervisor and the other workers read it. There is no
lock: every field is an aligned machine word or one short text, and has one writer.

    header (64 bytes)   word 0: whether the server is about to stop
    cell (64 bytes)     word 0: beats, word 1: phase, bytes 16 to 40: what the worker says of the
                        store, as text
"""

from collections.abc import Iterator
from enum import IntEnum

CELL_BYTES = 64
CELLS = 2_047
"""At most 512 workers, and those that are being replaced."""

BOARD_BYTES = CELL_BYTES * (CELLS + 1)

_WORDS = CELL_BYTES // 8
_STORE = slice(16, 40)


class Phase(IntEnum):
    """What a worker does. FREE: there is none in this cell. RETIRING: it accepts no connection."""

    FREE = 0
    STARTING = 1
    SERVING = 2
    RETIRING = 3


class StatusCell:
    """The status of one worker."""

    def __init__(self, memory: memoryview) -> None:
        self._bytes = memory
        self._words = memory.cast("Q")

    @property
    def beats(self) -> int:
        """How often the worker's event loop has shown that it runs. 0: it has not begun."""
        return self._words[0]

    def beat(self) -> None:
        """Show that the event loop runs."""
        self._words[0] += 1

    @property
    def phase(self) -> Phase:
        """What the worker does."""
        return Phase(self._words[1])

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self._words[1] = phase

    @property
    def store(self) -> str:
        """The worker's view of the store, as in `ops.health`."""
        return bytes(self._bytes[_STORE]).rstrip(b"\0").decode("ascii", "replace")

    @store.setter
    def store(self, state: str) -> None:
        length = _STORE.stop - _STORE.start
        self._bytes[_STORE] = state.encode("ascii", "replace")[:length].ljust(length, b"\0")

    def clear(self, phase: Phase) -> None:
        """Begin anew, for another worker or for none."""
        self._bytes[:] = bytes(CELL_BYTES)
        self.phase = phase


class StatusBoard:
    """The board in `memory`: BOARD_BYTES bytes, zeroed at first."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory.cast("B")
        self._words = self._memory.cast("Q")

    @property
    def stopping(self) -> bool:
        """Whether the server is about to stop."""
        return bool(self._words[0])

    @stopping.setter
    def stopping(self, stopping: bool) -> None:
        self._words[0] = stopping

    def cell(self, index: int) -> StatusCell:
        """Return the cell of the worker with this index, from 0 to CELLS - 1."""
        start = CELL_BYTES * (index + 1)
        return StatusCell(self._memory[start : start + CELL_BYTES])

    def serving(self) -> Iterator[StatusCell]:
        """Give the cells of the workers that serve."""
        for index in range(CELLS):
            if self._words[(index + 1) * _WORDS + 1] == Phase.SERVING:
                yield self.cell(index)
