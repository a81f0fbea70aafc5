"""Whether lines of an audit are whole: all there, and as they were written.

The files may be read in any order, and each may have lines of several processes. A problem is a
break, which somebody has to explain, or a remark, which is normal: a process that was killed has no
last line, and the oldest file begins in the middle of chains.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from deviceflow.audit.chain import FIRST, ReadLine, read_line
from deviceflow.audit.events import SecurityEvent

REPEATS_SEEN = 1000
"""How far back a line of a chain is known again, if it comes a second time."""

START_RACE = timedelta(seconds=60)
"""Processes that start together may name a line of the file before, each as what it follows."""

_BEGINNING = b'{"time":'
_NO_LINE = "is no line of an audit"


class Spot(NamedTuple):
    """A line of a file, counted from 1."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


class AuditProblem(NamedTuple):
    """What is wrong at a line. `is_break`: it is not normal."""

    spot: Spot
    text: str
    is_break: bool


@dataclass(kw_only=True)
class Segment:
    """Lines of one chain that follow each other in one file."""

    spot: Spot
    first: ReadLine
    last: ReadLine


@dataclass(kw_only=True)
class ChainReading:
    """What was read of one chain."""

    name: str
    segments: list[Segment] = field(default_factory=list)
    process: str = ""
    host: str = ""
    lines: int = 0
    repeated: int = 0
    lost: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    hashes: dict[int, str] = field(default_factory=dict)

    @property
    def first(self) -> ReadLine:
        """Its first line here."""
        return min((segment.first for segment in self.segments), key=_sequence)

    @property
    def last(self) -> ReadLine:
        """Its last line here."""
        return max((segment.last for segment in self.segments), key=_sequence)

    @property
    def is_ended(self) -> bool:
        """Whether the process has said that it ends."""
        return self.last.line.event == SecurityEvent.CHAIN_ENDED


class Verification:
    """Reads files, and then says what is wrong with them."""

    def __init__(self) -> None:
        self.chains: dict[str, ChainReading] = {}
        self.lines = 0
        self._problems: list[AuditProblem] = []
        self._starts: list[tuple[Spot, ReadLine]] = []
        self._file_times: dict[str, str] = {}

    def read(self, file: str, lines: Iterable[bytes]) -> None:
        """Read the lines of `file`, each with its newline."""
        open_segments: dict[str, Segment] = {}
        for number, text in enumerate(lines, 1):
            spot = Spot(file, number)
            read = read_line(text.removesuffix(b"\n")) if text.endswith(b"\n") else None
            if read is None:
                self._take_unreadable(spot, text)
                continue
            if not read.is_well_formed:
                self._note(spot, _NO_LINE, is_break=True)
                continue
            self.lines += 1
            if not read.is_sound:
                self._note(spot, "was changed: its hash is another", is_break=True)
            self._file_times.setdefault(file, read.line.time)
            self._take(spot, read, open_segments)

    def problems(self) -> list[AuditProblem]:
        """List what is wrong, in the order of files and lines. Call it after the last file."""
        found = [*self._problems]
        for chain in self.chains.values():
            found += self._joints(chain)
            found += self._beginning(chain)
        found += self._followings()
        order = {file: i for i, file in enumerate(self.files())}
        return sorted(found, key=lambda each: (order.get(each.spot.file, 0), each.spot.number))

    def files(self) -> list[str]:
        """List the files, the oldest first."""
        return sorted(self._file_times, key=lambda file: self._file_times[file])

    def _take(self, spot: Spot, read: ReadLine, open_segments: dict[str, Segment]) -> None:
        chain = self.chains.setdefault(read.line.chain, ChainReading(name=read.line.chain))
        sequence = read.line.sequence
        if chain.hashes.get(sequence) == read.hash:
            chain.repeated += 1
            return
        if sequence in chain.hashes:
            self._note(spot, f"is a second line {read.place}, with other words", is_break=True)
            return
        self._note_facts(chain, spot, read)
        segment = open_segments.get(chain.name)
        if segment is None or sequence != segment.last.line.sequence + 1:
            segment = Segment(spot=spot, first=read, last=read)
            open_segments[chain.name] = segment
            chain.segments.append(segment)
            return
        if problem := _joint(segment.last, read):
            self._note(spot, problem, is_break=True)
        segment.last = read

    def _note_facts(self, chain: ChainReading, spot: Spot, read: ReadLine) -> None:
        line = read.line
        chain.lines += 1
        chain.hashes[line.sequence] = read.hash
        if len(chain.hashes) > REPEATS_SEEN:
            del chain.hashes[next(iter(chain.hashes))]
        if line.event == SecurityEvent.CHAIN_STARTED:
            chain.process, chain.host = line.process, line.host
            self._starts.append((spot, read))
        if line.event == SecurityEvent.LINES_LOST:
            chain.lost[line.sink] += line.lost

    def _take_unreadable(self, spot: Spot, text: bytes) -> None:
        if text == b"\n":
            return
        if text.startswith(_BEGINNING):
            self._note(spot, "is half a line: its process died while it wrote", is_break=False)
        else:
            self._note(spot, _NO_LINE, is_break=True)

    def _joints(self, chain: ChainReading) -> Iterator[AuditProblem]:
        """Look at where the lines of a chain go on in another place."""
        segments = sorted(chain.segments, key=lambda segment: segment.first.line.sequence)
        missing = 0
        for before, after in pairwise(segments):
            gap = after.first.line.sequence - before.last.line.sequence - 1
            missing += max(0, gap)
            if gap > 0:
                is_said = missing <= max(chain.lost.values(), default=0)
                yield AuditProblem(
                    after.spot, _gap_text(before, after, is_said=is_said), is_break=not is_said
                )
            elif gap < 0:
                yield AuditProblem(
                    after.spot, f"is a second line {after.first.place}", is_break=True
                )
            elif problem := _joint(before.last, after.first):
                yield AuditProblem(after.spot, problem, is_break=True)
            if gap and before.last.line.event == SecurityEvent.CHAIN_ENDED:
                yield AuditProblem(after.spot, "comes after the end of its chain", is_break=True)

    def _beginning(self, chain: ChainReading) -> Iterator[AuditProblem]:
        segment = min(chain.segments, key=lambda each: each.first.line.sequence)
        first = segment.first.line
        if first.sequence == FIRST:
            if first.event != SecurityEvent.CHAIN_STARTED or first.previous:
                yield AuditProblem(segment.spot, "is no beginning of a chain", is_break=True)
            return
        is_oldest = segment.spot.file == self.files()[0]
        text = f"is line {first.sequence} of chain {chain.name}: those before are not here"
        yield AuditProblem(segment.spot, text, is_break=not is_oldest)

    def _followings(self) -> Iterator[AuditProblem]:
        """Look for the line that each chain found at the end of the file when it began."""
        if not self._starts:
            return
        oldest = _time(min(self._file_times.values()))
        for spot, read in self._starts:
            name, _, number = read.line.follows.partition(":")
            if not name:
                continue
            chain = self.chains.get(name)
            if chain is not None and chain.last.line.sequence >= int(number or 0):
                continue
            is_early = _time(read.line.time) < oldest + START_RACE
            text = f"follows line {number} of chain {name}, which is not here"
            yield AuditProblem(spot, text, is_break=not is_early)

    def _note(self, spot: Spot, text: str, *, is_break: bool) -> None:
        self._problems.append(AuditProblem(spot, text, is_break=is_break))


def _joint(before: ReadLine, after: ReadLine) -> str:
    """Say what is wrong between two lines of which one has the next number; empty if nothing is."""
    if after.line.previous != before.hash:
        return "does not follow the line before it in its chain: one of the two was changed"
    if before.line.event == SecurityEvent.CHAIN_ENDED:
        return "comes after the end of its chain"
    return ""


def _gap_text(before: Segment, after: Segment, *, is_said: bool) -> str:
    first, last = before.last.line.sequence + 1, after.first.line.sequence - 1
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    text = f"{lines} of chain {after.first.line.chain} missing before it"
    return f"{text}; a later line says that its sink lost them" if is_said else text


def _sequence(read: ReadLine) -> int:
    return read.line.sequence


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
