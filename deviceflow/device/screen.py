"""The terminal screen of a device: QR code, address, user code, and progress.

On a terminal, the last line is updated in place. Elsewhere (a log, a pipe), a line is written when
the answer changes, and once a minute. NO_COLOR (no-color.org) is respected.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TextIO

from deviceflow.device.answers import DeviceAuthorization, printable
from deviceflow.device.events import Decided, Event, Pending, SlowDown, Unreachable
from deviceflow.device.lettering import HALF_BLOCKS, large
from deviceflow.device.qr import drawing

WIDEST = 80
QUIET_S = 60
_MARGIN = "  "
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class _Shown(NamedTuple):
    """What the screen shows of a grant. `complete` may be empty."""

    address: str
    code: str
    complete: str


class Screen:
    """The screen of a grant.

    Call `show`, then `on_event` for each event and `tick` once a second, then `close`. `clock` is
    in seconds and never goes back. `columns`, `rows`: of the terminal; by default, what it says.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        environ: Mapping[str, str] = os.environ,
        columns: int | None = None,
        rows: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._clock = clock
        size = _size_of(stream)
        self._columns = min(columns or size.columns, WIDEST)
        # A log has no last row.
        self._rows = (rows or size.lines) if stream.isatty() else None
        self._live = stream.isatty() and environ.get("TERM") != "dumb"
        self._colour = self._live and not environ.get("NO_COLOR")
        self._deadline = self._next_line = clock()
        self._polls = 0
        self._last_answer = "none yet"

    def show(self, authorization: DeviceAuthorization, *, qr: bool = True) -> None:
        """Write the address and the code, and start the countdown."""
        self._deadline = self._clock() + authorization.expires_in
        lines = self._instructions(authorization, qr=qr)
        self._stream.write("".join(f"{_MARGIN}{line}".rstrip() + "\n" for line in lines))
        self.tick()

    def on_event(self, event: Event) -> None:
        """Show an event of the polling."""
        answer = describe(event)
        if answer != self._last_answer and self._polls:
            self._next_line = self._clock()
        self._polls, self._last_answer = event.polls, answer
        if not isinstance(event, Decided):
            self.tick()

    def tick(self) -> None:
        """Update the line of progress."""
        text = progress(self._deadline - self._clock(), self._polls, self._last_answer)
        if self._live:
            self._stream.write(f"\r\x1b[2K{_MARGIN}{text}"[: self._columns + 4])
        elif self._clock() >= self._next_line:
            self._next_line = self._clock() + QUIET_S
            self._stream.write(f"{_MARGIN}{text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the cursor on an empty line."""
        if self._live:
            self._stream.write("\r\x1b[2K")
        self._stream.flush()

    def _instructions(self, authorization: DeviceAuthorization, *, qr: bool) -> list[str]:
        """Return the first layout that fits, or the last one, which is the shortest."""
        shown = _Shown(
            address=printable(authorization.verification_uri),
            code=printable(authorization.user_code),
            complete=printable(authorization.verification_uri_complete or ""),
        )
        lines: list[str] = []
        for lines in self._layouts(shown, qr=qr):
            if self._fits(lines):
                break
        return lines

    def _layouts(self, shown: _Shown, *, qr: bool) -> Iterator[list[str]]:
        """Make layouts: without the large letters, then without margins, then without the QR."""
        room = self._columns - len(_MARGIN)
        target = shown.complete or shown.address
        draws = self._draws()
        big = large(shown.code, room) if draws else []
        if draws and qr and (picture := drawing(target, room, colour=self._colour)):
            narrow = drawing(target, room, colour=self._colour, narrow=True)
            yield self._roomy(shown, picture, big)
            yield self._roomy(shown, picture, [])
            yield self._tight(shown, picture)
            yield self._tight(shown, narrow)
        yield self._roomy(shown, [], big)
        yield self._roomy(shown, [], [])
        yield self._tight(shown, [])

    def _roomy(self, shown: _Shown, picture: list[str], big: list[str]) -> list[str]:
        lines = ["To connect this device, open", "", f"{_MARGIN}{self._bold(shown.address)}", ""]
        if picture:
            scan = "To connect this device, scan this with a phone"
            lines = [scan, "", *picture, "", "or open", *lines[1:]]
        lines += ["and enter the code", "", *big, *([""] if big else [])]
        lines += [f"{_MARGIN}{self._bold(shown.code)}", ""]
        if shown.complete and not picture:
            words = "or open the address that has the code in it"
            lines += [words, "", f"{_MARGIN}{shown.complete}", ""]
        return ["", *lines]

    def _tight(self, shown: _Shown, picture: list[str]) -> list[str]:
        ways = "Scan this with a phone, or open" if picture else "To connect this device, open"
        words = [ways, self._bold(shown.address), f"and enter {self._bold(shown.code)}"]
        return [*picture, *words]

    def _fits(self, lines: list[str]) -> bool:
        """Return whether the terminal shows all lines at once, and that of the progress."""
        if self._rows is None:
            return True
        widths = (len(_MARGIN) + len(_COLOUR.sub("", line)) for line in lines)
        return sum(-(-width // self._columns) for width in widths) + 1 <= self._rows

    def _draws(self) -> bool:
        try:
            HALF_BLOCKS.encode(self._stream.encoding or "utf-8")
        except (LookupError, UnicodeEncodeError):
            return False
        return True

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._colour else text


def _size_of(stream: TextIO) -> os.terminal_size:
    """Return the size of the terminal of `stream`: standard output may be something else."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return shutil.get_terminal_size()
    return size if size.columns and size.lines else shutil.get_terminal_size()


def progress(remaining: float, polls: int, last_answer: str) -> str:
    """Describe the progress in a line: the time left, the number of polls, the last answer."""
    minutes, seconds = divmod(max(0, round(remaining)), 60)
    times = "1 poll" if polls == 1 else f"{polls} polls"
    return f"Waiting, {minutes}:{seconds:02} left. {times}, last answer: {last_answer}"


def describe(event: Event) -> str:
    """Describe the answer of an event in a few words."""
    match event:
        case Pending():
            return "not approved yet"
        case SlowDown(interval=interval):
            return f"slow down (now every {interval:.0f} s)"
        case Unreachable(reason=reason, retry_in=pause):
            return f"none, {printable(reason)}; again in {pause:.0f} s"
        case Decided(refusal=refusal):
            return "approved" if refusal is None else refusal.code
