"""What a device without a keyboard shows on a terminal: QR code, address, user code, progress.

On a terminal the last line is kept up to date in place; elsewhere (a log, a pipe) a line is written
when the server says something new, and once a minute. NO_COLOR (no-color.org) is respected.
"""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from deviceflow.device.answers import DeviceAuthorization, printable
from deviceflow.device.events import Decided, Event, Pending, SlowDown, Unreachable
from deviceflow.device.lettering import HALF_BLOCKS, large
from deviceflow.device.qr import drawing

WIDEST = 80
QUIET_S = 60
_MARGIN = "  "


class Screen:
    """One grant on one stream; call `show`, then `on_event` and once a second `tick`, then `close`.

    `clock` is in seconds and never goes back.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        environ: Mapping[str, str] = os.environ,
        columns: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._columns = min(columns or shutil.get_terminal_size().columns, WIDEST)
        self._live = stream.isatty() and environ.get("TERM") != "dumb"
        self._colour = self._live and not environ.get("NO_COLOR")
        self._deadline = self._next_line = clock()
        self._polls = 0
        self._said = "none yet"

    def show(self, authorization: DeviceAuthorization, *, qr: bool = True) -> None:
        """Write where to go and which code to enter, and start the countdown."""
        self._deadline = self._clock() + authorization.expires_in
        lines = self._instructions(authorization, qr=qr)
        self._stream.write("\n" + "".join(f"{_MARGIN}{line}".rstrip() + "\n" for line in lines))
        self.tick()

    def on_event(self, event: Event) -> None:
        """Take one event of the polling in."""
        said = said_by(event)
        if said != self._said and self._polls:
            self._next_line = self._clock()
        self._polls, self._said = event.polls, said
        if not isinstance(event, Decided):
            self.tick()

    def tick(self) -> None:
        """Bring the line of progress up to date."""
        text = progress(self._deadline - self._clock(), self._polls, self._said)
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
        address = printable(authorization.verification_uri)
        code = printable(authorization.user_code)
        complete = printable(authorization.verification_uri_complete or "")
        room = self._columns - len(_MARGIN)
        picture, big = [], []
        if self._draws():
            picture = drawing(complete or address, room, colour=self._colour) if qr else []
            big = large(code, room)
        lines = ["To connect this device, open", "", f"{_MARGIN}{self._bold(address)}", ""]
        if picture:
            scan = "To connect this device, scan this with a phone"
            lines = [scan, "", *picture, "", "or open", *lines[1:]]
        lines += ["and enter the code", "", *big, *([""] if big else [])]
        lines += [f"{_MARGIN}{self._bold(code)}", ""]
        if complete and not picture:
            lines += ["or open the address that has the code in it", "", f"{_MARGIN}{complete}", ""]
        return lines

    def _draws(self) -> bool:
        try:
            HALF_BLOCKS.encode(self._stream.encoding or "utf-8")
        except (LookupError, UnicodeEncodeError):
            return False
        return True

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._colour else text


def progress(remaining: float, polls: int, said: str) -> str:
    """Say in one line how long is left, how often the server was asked and what it last said."""
    minutes, seconds = divmod(max(0, round(remaining)), 60)
    times = "1 poll" if polls == 1 else f"{polls} polls"
    return f"Waiting, {minutes}:{seconds:02} left. {times}, last answer: {said}"


def said_by(event: Event) -> str:
    """Say in a few words what an event's answer was."""
    match event:
        case Pending():
            return "not approved yet"
        case SlowDown(interval=interval):
            return f"slow down (now every {interval:.0f} s)"
        case Unreachable(reason=reason, retry_in=pause):
            return f"none, {printable(reason)}; again in {pause:.0f} s"
        case Decided(refusal=refusal):
            return "approved" if refusal is None else refusal.code
