r"""Lines that are chained by hash, so that a change, a gap or a cut shows.

A process has one chain. Its lines are numbered from 1, and each has the hash of the line before it
in `previous`. `hash` is the last member of a line: SHA-256, in base64url, of all bytes before
`,"hash":`. So the first line that is not as it was written can be named, whatever the order of the
files, and a reader needs no canonical form of JSON.

The chain has no key. docs/operations/audit.md says what it shows if an attacker can write to the
file, and what it does not show.
"""

import hashlib
import re
from datetime import datetime
from typing import NamedTuple

import msgspec

from deviceflow.audit.events import AuditLine
from deviceflow.core import base64url

FIRST = 1

_END = re.compile(rb',"hash":"([A-Za-z0-9_-]{43})"\}')
_END_BYTES = len(',"hash":"') + 43 + len('"}')
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_PLACE = re.compile(r"(?:[^:]+:[0-9]{1,18})?")


class ChainPlace(NamedTuple):
    """A line's place: `sequence` of the chain `chain`."""

    chain: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.chain}:{self.sequence}"


class ReadLine(NamedTuple):
    """A line that was read. `is_sound`: whether its hash is the hash of its bytes."""

    line: AuditLine
    hash: str
    is_sound: bool

    @property
    def place(self) -> ChainPlace:
        """The line's place."""
        return ChainPlace(self.line.chain, self.line.sequence)

    @property
    def is_well_formed(self) -> bool:
        """Whether a process can have written it: anybody can give any line a hash.

        What is printed of a line must not pass for other lines, or command a terminal.
        """
        line = self.line
        printed = (line.chain, line.process, line.host, line.follows, line.sink)
        if not (all(map(str.isprintable, printed)) and _PLACE.fullmatch(line.follows)):
            return False
        return _TIME.fullmatch(line.time) is not None and _is_time(line.time)


class Chain:
    """The chain of one process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sequence = 0
        self._hash = ""

    def add(self, line: AuditLine) -> bytes:
        """Return `line` as the next one of the chain, with a newline."""
        self.sequence += 1
        placed = msgspec.structs.replace(
            line, chain=self.name, sequence=self.sequence, previous=self._hash
        )
        body = msgspec.json.encode(placed)[:-1]
        self._hash = _hash(body)
        return b'%b,"hash":"%b"}\n' % (body, self._hash.encode())


def read_line(text: bytes) -> ReadLine | None:
    """Read a line without its newline; None if it is not a line of an audit.

    Members that a later version adds are covered by the hash, and otherwise ignored.
    """
    end = _END.fullmatch(text[-_END_BYTES:])
    if end is None:
        return None
    try:
        line = msgspec.json.decode(text, type=AuditLine)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    written = end[1].decode()
    return ReadLine(line, written, _hash(text[:-_END_BYTES]) == written)


def _hash(body: bytes) -> str:
    return base64url.encode(hashlib.sha256(body).digest())


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
