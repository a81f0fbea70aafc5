"""Recognising a poll in bytes: a whole head, a whole body, and nothing that is almost one."""

import time

import pytest

from deviceflow.oauth.poll.connection import missing_after
from deviceflow.oauth.poll.recognition import MAX_BODY, RequestHead, read_head, read_poll
from tests.stage.served import poll_body

LINE = b"POST /oauth2/token HTTP/1.1"


def head_of(*lines: bytes, line: bytes = LINE) -> bytes:
    return b"\r\n".join([line, *lines])


FIELDS = (
    b"Host: x",
    b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Length: 5",
)


def test_a_head() -> None:
    plain = RequestHead(LINE, 5, close=False, is_form=True, wait=None, has_origin=False)
    assert read_head(head_of(*FIELDS)) == plain
    closing = head_of(*FIELDS, b"Connection: CLOSE", b"Prefer: wait=20", b"origin:")
    assert read_head(closing) == plain._replace(close=True, wait=20, has_origin=True)
    line = b"GET / HTTP/1.1"
    assert read_head(line) == plain._replace(line=line, content_length=0, is_form=False)
    long = head_of(*FIELDS[:2], b"Content-Length: %d" % (MAX_BODY + 1))
    assert read_head(long) == plain._replace(content_length=MAX_BODY + 1, is_form=False)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\r\n" + head_of(*FIELDS),
        head_of(*FIELDS) + b"\r\n",
        head_of(*FIELDS).replace(b"\r\n", b"\n", 1),
        head_of(*FIELDS).replace(b"\r\n", b"\r", 1),
        head_of(*FIELDS, b" folded"),
        head_of(*FIELDS, b"\tfolded"),
        head_of(*FIELDS, b"X : y"),
        head_of(*FIELDS, b"X"),
        head_of(*FIELDS, b": y"),
        head_of(*FIELDS, b"X: \x00"),
        head_of(*FIELDS, b"X: \x7f"),
        head_of(*FIELDS, b"X: \x80"),
        head_of(*FIELDS, b"X: a\rb"),
        head_of(*FIELDS, b"X: a\nb"),
        head_of(*FIELDS, b"X\x80: y"),
        head_of(*FIELDS, b"content-length: 5"),
        head_of(*FIELDS, b"CONTENT-TYPE: application/x-www-form-urlencoded"),
        head_of(*FIELDS, b"Transfer-Encoding: identity"),
        head_of(*FIELDS, b"transfer-encoding:"),
        head_of(*FIELDS, b"Connection: upgrade"),
        head_of(*FIELDS, b"Connection: close, keep-alive"),
        head_of(*FIELDS[:2], b"Content-Length: 05"),
        head_of(*FIELDS[:2], b"Content-Length: 5, 5"),
        head_of(*FIELDS[:2], b"Content-Length: 1234567890"),
        head_of(*FIELDS, line=b"POST /oauth2/token HTTP/1.0"),
        head_of(*FIELDS, line=b"POST  /oauth2/token HTTP/1.1"),
        head_of(*FIELDS, line=b"POST oauth2/token HTTP/1.1"),
        head_of(*FIELDS, line=b"PUT /oauth2/token HTTP/1.1"),
        head_of(*FIELDS, line=b"POST /\x80 HTTP/1.1"),
    ],
)
def test_no_head(block: bytes) -> None:
    assert read_head(block) is None


@pytest.mark.parametrize("value", [b" " * 60_000, b"a " * 30_000, b" a" * 30_000, b"\t " * 30_000])
@pytest.mark.parametrize("end", [b"", b"\x01", b"a\x01"])
def test_a_hostile_head_is_read_in_linear_time(value: bytes, end: bytes) -> None:
    """It would stop the whole worker; a pattern that goes back took seconds for this."""
    request = b"GET / HTTP/1.1\r\nX:" + value + end + b"\r\n\r\n"
    before = time.thread_time()
    missing_after(request)
    assert time.thread_time() - before < 0.1


def test_a_body() -> None:
    code = b"A" * 43
    assert read_poll(poll_body(code)) == (code, b"tv-app")
    parts = poll_body(code).split(b"&")
    assert read_poll(b"&".join(reversed(parts))) == (code, b"tv-app")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"&&",
        poll_body(b""),
        poll_body(b"A", b""),
        poll_body(b"A+"),
        poll_body(b"%41"),
        poll_body(b"A") + b"&",
        b"&" + poll_body(b"A"),
        poll_body(b"A") + b"&device_code=B",
        b"device_code=A&device_code=B&client_id=x",
        poll_body(b"A").replace(b"grant_type=", b"grant_type=x"),
        poll_body(b"A").replace(b"device_code&", b"device_code\n&"),
        poll_body(b"A").replace(b"client_id", b"Client_id"),
    ],
)
def test_no_body(body: bytes) -> None:
    assert read_poll(body) is None
