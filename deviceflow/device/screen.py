"""The terminal screen of a device: QR code, address, user code, and progress.

On a terminal, the last line is updated in place. Elsewhere (a log, a pipe), a line is written when
the answer changes, and once a minute. NO_COLOR (no-color.org) is respected.
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
    """The screen of a grant.

    Call `show`, then `on_event` for each event and `tick` once a second, then `close`. `clock` is
    in seconds and never goes back.
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
        self._last_answer = "none yet"

    def show(self, authorization: DeviceAuthorization, *, qr: bool = True) -> None:
        """Write the address and the code, and start the countdown."""
        self._deadline = self._clock() + authorization.expires_in
        lines = self._instructions(authorization, qr=qr)
        self._stream.write("\n" + "".join(f"{_MARGIN}{line}".rstrip() + "\n" for line in lines))
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
