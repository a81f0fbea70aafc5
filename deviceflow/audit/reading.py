"""The newest events, for operators: read from the end of the host's file."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from deviceflow.audit.chain import read_line
from deviceflow.audit.file_sink import last_lines, numbered
from deviceflow.audit.journal import Audit

TAIL_BYTES = 262_144
"""How much of a file is read for the newest events: about 500 lines."""

Members = dict[str, str | int]

_CHAINED = ("chain", "sequence", "previous", "hash")
_OWN = ("chain.started", "chain.ended")


class RecentEvents(NamedTuple):
    """Events, the newest first, as the members of their lines.

    `source`: "file" for those of all processes of this host; "worker" for those that one worker
    remembers, where the settings name no file.
    """

    events: list[Members]
    source: Literal["file", "worker"]


@dataclass(frozen=True, kw_only=True)
class AuditReader:
    """Reads the newest events. `path`: the file, None if there is none."""

    path: Path | None
    audit: Audit

    async def newest(self, count: int) -> RecentEvents:
        """Return the newest events; those of one worker if the file cannot be read."""
        if self.path is not None:
            with suppress(OSError):
                return RecentEvents(await asyncio.to_thread(_of_file, self.path, count), "file")
        return RecentEvents(_events(list(self.audit.recent), count), "worker")


def _of_file(path: Path, count: int) -> list[Members]:
    lines = last_lines(path, TAIL_BYTES)
    found = _events(lines, count)
    if len(found) == count:
        return found
    return _events([*last_lines(numbered(path, 1), TAIL_BYTES), *lines], count)


def _events(lines: list[bytes], count: int) -> list[Members]:
    """Read lines, the newest first, without their places and the chains' own lines."""
    return list(islice(_read(lines), count))


def _read(lines: list[bytes]) -> Iterator[Members]:
    for text in reversed(lines):
        read = read_line(text.removesuffix(b"\n"))
        if read is None or read.line.event in _OWN:
            continue
        try:
            members = msgspec.json.decode(text, type=Members)
        except msgspec.ValidationError:
            continue  # a later version has a member of another kind
        yield {name: value for name, value in members.items() if name not in _CHAINED}
