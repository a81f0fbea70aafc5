"""The output on a terminal and in a log."""

import fcntl
import io
import os
import re
import struct
import termios

import pytest
import segno

from deviceflow.device.answers import DeviceAuthorization, Tokens
from deviceflow.device.events import Decided, Pending, SlowDown, Unreachable
from deviceflow.device.lettering import HALF_BLOCKS, large
from deviceflow.device.qr import drawing
from deviceflow.device.screen import Screen, progress
from deviceflow.device.summary import claims, lifetime, summary
from tests.stage.scripted import FakeTime

COMPLETE = "https://example.com/device?user_code=WDJB-MJHT"
CODES = DeviceAuthorization(
    device_code="s3cret",
    user_code="WDJB-MJHT",
    verification_uri="https://example.com/device",
    verification_uri_complete=COMPLETE,
    expires_in=600,
)
# RFC 7519 3.1
JWT = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)


class Terminal(io.StringIO):
    """A stream that keeps the output, with the properties that a test needs."""

    def __init__(self, *, tty: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._tty, self._encoding = tty, encoding

    def isatty(self) -> bool:
        return self._tty

    @property
    def encoding(self) -> str:  # type: ignore[override] # a plain attribute in typeshed
        return self._encoding


def screen(
    stream: Terminal, time: FakeTime, columns: int = 120, rows: int = 60, **environ: str
) -> Screen:
    return Screen(stream, environ=environ, columns=columns, rows=rows, clock=time.clock)


def test_a_terminal_shows_all_and_fits_80_columns(time: FakeTime) -> None:
    stream = Terminal(tty=True)
    screen(stream, time).show(CODES)
    shown = stream.getvalue()
    assert "https://example.com/device\x1b[0m\n" in shown
    assert "WDJB-MJHT\x1b[0m\n" in shown
    assert all(line in shown for line in drawing(COMPLETE, 78, colour=True))
    assert all(line.rstrip() in shown for line in large("WDJB-MJHT", 78))
    assert "s3cret" not in shown


def test_progress_is_rewritten_in_place(time: FakeTime) -> None:
    stream = Terminal(tty=True)
    shown = screen(stream, time)
    shown.show(CODES)
    before = len(stream.getvalue())
    time.now += 61
    shown.on_event(Pending(polls=12, retry_in=5))
    shown.close()
    assert stream.getvalue()[before:] == (
        "\r\x1b[2K  Waiting, 8:59 left. 12 polls, last answer: not approved yet\r\x1b[2K"
    )


def test_a_log_gets_a_line_for_news_and_one_a_minute(time: FakeTime) -> None:
    stream = Terminal(tty=False)
    shown = screen(stream, time)
    shown.show(CODES)
    for polls in range(1, 26):
        time.now += 5
        shown.on_event(Pending(polls=polls, retry_in=5))
    shown.on_event(SlowDown(interval=10, polls=26, retry_in=10))
    shown.on_event(Unreachable(reason="HTTP 503", polls=27, retry_in=20))
    shown.on_event(Decided(polls=28))
    shown.close()
    lines = [line for line in stream.getvalue().splitlines() if "Waiting" in line]
    assert [line.partition(". ")[2] for line in lines] == [
        "0 polls, last answer: none yet",
        "12 polls, last answer: not approved yet",
        "24 polls, last answer: not approved yet",
        "26 polls, last answer: slow down (now every 10 s)",
        "27 polls, last answer: none, HTTP 503; again in 20 s",
    ]
    assert "\x1b" not in stream.getvalue()


def test_no_color_and_dumb_terminals_get_no_colour(time: FakeTime) -> None:
    stream = Terminal(tty=True)
    screen(stream, time, NO_COLOR="1").show(CODES)
    assert stream.getvalue().replace("\r\x1b[2K", "").count("\x1b") == 0
    stream = Terminal(tty=True)
    screen(stream, time, TERM="dumb").show(CODES)
    assert "\x1b" not in stream.getvalue()


def test_without_half_blocks_there_are_words(time: FakeTime) -> None:
    stream = Terminal(tty=True, encoding="ascii")
    screen(stream, time).show(CODES)
    assert stream.getvalue().isascii()
    assert COMPLETE in stream.getvalue()


def test_a_narrow_terminal_or_no_qr_gets_the_address(time: FakeTime) -> None:
    for columns, qr in ((30, True), (80, False)):
        stream = Terminal(tty=False)
        screen(stream, time, columns).show(CODES, qr=qr)
        assert COMPLETE in stream.getvalue()
        assert "scan" not in stream.getvalue()


@pytest.mark.parametrize(
    ("columns", "rows", "margin", "letters"),
    [
        (80, 40, 4, True),
        (80, 36, 4, True),
        (80, 30, 4, False),
        (80, 24, 4, False),
        (80, 21, 2, False),
        (80, 20, 0, True),
        (80, 17, 0, False),
        (80, 5, 0, False),
        (40, 40, 4, False),
        (40, 24, 4, False),
        (40, 20, 0, False),
    ],
)
def test_all_of_it_is_on_the_screen(
    time: FakeTime, columns: int, rows: int, margin: int, *, letters: bool
) -> None:
    """First the letters go, then the margin around the QR code, then the QR code."""
    stream = Terminal(tty=True)
    screen(stream, time, columns, rows).show(CODES)
    written = re.sub(r"\x1b\[[0-9;]*[mK]|\r", "", stream.getvalue()).split("\n")
    assert sum(max(1, -(-len(line) // columns)) for line in written) <= rows or rows < 6
    text = "\n".join(written)
    assert "https://example.com/device" in text
    assert "WDJB-MJHT" in text
    drawings = {n: drawing(COMPLETE, 78, colour=True, narrow=n == 2) for n in (4, 2)}
    shown = {n for n, lines in drawings.items() if all(line in stream.getvalue() for line in lines)}
    assert shown == ({margin} if margin else set())
    assert (large("WDJB-MJHT", 78)[0].rstrip() in text) is letters
    assert ("scan" in text.lower()) is (margin > 0)
    assert "Waiting" in written[-1]


def test_a_log_has_no_last_row(time: FakeTime) -> None:
    stream = Terminal(tty=False)
    screen(stream, time, 80, 10).show(CODES)
    assert "scan" in stream.getvalue()


def test_the_size_is_that_of_the_stream(time: FakeTime) -> None:
    """Standard output may go to a file."""
    main, other = os.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 44, 0, 0))
    with os.fdopen(other, "w", encoding="utf-8") as stream:
        Screen(stream, environ={}, clock=time.clock).show(CODES)
        shown = os.read(main, 1 << 16).decode()
    os.close(main)
    assert "scan" not in shown.lower()
    assert shown.count("\n") < 12


def test_a_servers_text_gives_the_terminal_no_orders(time: FakeTime) -> None:
    stream = Terminal(tty=False)
    evil = "\x1b]0;owned\x07\x9b2J"
    screen(stream, time).show(
        DeviceAuthorization(
            device_code="x",
            user_code=f"A{evil}",
            verification_uri=f"https://x/{evil}",
            verification_uri_complete=f"https://x/{evil}",
            expires_in=60,
        ),
        qr=False,
    )
    assert not set(stream.getvalue()) & {"\x1b", "\x07", "\x9b"}


def test_the_line_of_progress_never_wraps(time: FakeTime) -> None:
    stream = Terminal(tty=True)
    shown = screen(stream, time, 40)
    shown.on_event(Unreachable(reason="x" * 200, polls=1, retry_in=5))
    assert max(len(line) for line in stream.getvalue().split("\r\x1b[2K")) < 40


def test_times_below_zero_are_not_shown() -> None:
    assert progress(-1, 1, "x") == "Waiting, 0:00 left. 1 poll, last answer: x"


@pytest.mark.parametrize("colour", [True, False])
def test_the_drawing_is_the_qr_code(*, colour: bool) -> None:
    lines = [
        line.replace("\x1b[38;5;16;48;5;231m", "").replace("\x1b[0m", "")
        for line in drawing(COMPLETE, 80, colour=colour)
    ]
    read = []
    for line in lines:
        marks = [HALF_BLOCKS.index(mark) for mark in line]
        read += [[(mark >> 1 == 1) == colour for mark in marks]]
        read += [[(mark & 1 == 1) == colour for mark in marks]]
    symbol = segno.make_qr(COMPLETE, error="l").matrix_iter(border=4)
    expected = [[bool(module) for module in row] for row in symbol]
    assert read[: len(expected)] == expected
    assert all(len(line) <= 80 for line in lines)


def test_what_does_not_fit_is_not_drawn() -> None:
    assert drawing(COMPLETE, 32, colour=True) == []
    assert drawing("x" * 3000, 80, colour=True) == []
    assert large("WDJB-MJHT", 52) == []
    assert large("ñ", 80) == []


def test_every_letter_and_digit_has_a_shape_of_its_own() -> None:
    drawn = {"\n".join(large(letter, 5)) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"}
    assert len(drawn) == 37
    assert all(len(line) == 5 for shape in drawn for line in shape.split("\n"))


def test_claims_of_a_jwt_only() -> None:
    assert claims(JWT) == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    assert [claims(token) for token in ("opaque", "a.b.c", "..", "é.é.é")] == [None] * 4


def test_the_summary_has_the_tokens_and_their_claims() -> None:
    told = summary(
        Tokens(access_token=JWT, token_type="Bearer", expires_in=3600, refresh_token="8xLOxBtZp8")
    )
    assert told.splitlines()[:3] == [
        "token type     Bearer",
        "lifetime       1 hour (3600 s)",
        "scope          as requested",
    ]
    assert f"\naccess token\n{JWT}\n" in told
    assert '  iss                         "joe"\n' in told
    assert "  exp                         1300819380 (2011-03-22 18:43:00 UTC)\n" in told
    assert told.endswith("\nrefresh token\n8xLOxBtZp8")


def test_a_time_beyond_the_calendar_is_a_number() -> None:
    token = "e30.eyJleHAiOjFlNDAsImlhdCI6dHJ1ZSwibmJmIjotMX0."  # 1e40, true, -1
    told = summary(Tokens(access_token=token, token_type="Bearer"))
    assert [line.split() for line in told.splitlines()[-3:]] == [
        ["exp", "1e40"],
        ["iat", "true"],
        ["nbf", "-1", "(1969-12-31", "23:59:59", "UTC)"],
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "not given"),
        (59, "59 s"),
        (90, "90 s"),
        (60, "1 minute (60 s)"),
        (172800, "2 days (172800 s)"),
    ],
)
def test_lifetimes_in_words(seconds: int | None, words: str) -> None:
    assert lifetime(seconds) == words
