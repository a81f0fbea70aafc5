"""Answers of HTTP/1.1, read from bytes (RFC 9112). Pure.

A fleet needs only a part of HTTP, but must read it fast (docs/decisions/0054).
"""

from typing import NamedTuple

import msgspec
from multidict import CIMultiDict

from deviceflow.device.answers import Reply
from deviceflow.device.transport import MAX_BODY_BYTES, reply_of

MAX_HEAD_BYTES = 1 << 16
MOST_KNOWN_HEADS = 256

_END = b"\r\n\r\n"
_INTERIM = 1
_NO_BODY = frozenset({204, 304})
_STATUS_LINE_LENGTH = 12


class MalformedHttpError(Exception):
    """The bytes are not an answer of HTTP/1.1. The text says why, in a few words."""


class Head(NamedTuple):
    """The status line and headers. `length`: of the body; None: until the connection ends.

    `reply`: the answer without a body.
    """

    reply: Reply
    length: int | None
    is_chunked: bool
    closes: bool


class HttpAnswer(NamedTuple):
    """A complete answer. `size`: how many bytes it was. `closes`: the connection ends after it."""

    reply: Reply
    size: int
    closes: bool


class AnswerReader:
    """Reads answers.

    It reads equal heads only once: most answers of a second have the same head.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def read(self, data: bytes, *, at_end: bool = False) -> HttpAnswer | None:
        """Return the answer at the start of `data`, or None if it is not complete.

        Interim answers (1xx, RFC 9110 15.2) before it are skipped. `at_end`: the server has closed
        the connection. May raise MalformedHttpError.
        """
        start = 0
        while (end := data.find(_END, start)) >= 0:
            head, start = self._head(data[start:end]), end + len(_END)
            if head.reply.status // 100 != _INTERIM:
                return _whole(head, data, start, at_end=at_end)
            if start > MAX_HEAD_BYTES:
                raise MalformedHttpError("interim answers without an end")
        if len(data) - start > MAX_HEAD_BYTES:
            raise MalformedHttpError("headers without an end")
        return None

    def _head(self, data: bytes) -> Head:
        head = self._known.get(data)
        if head is None:
            if len(self._known) >= MOST_KNOWN_HEADS:
                self._known.clear()
            head = self._known[data] = read_head(data)
        return head


def _whole(head: Head, data: bytes, start: int, *, at_end: bool) -> HttpAnswer | None:
    """Read the body, which begins at `start`. None if it is not complete."""
    if head.is_chunked:
        return _chunked(head, data, start)
    if len(data) - start > MAX_BODY_BYTES:
        raise MalformedHttpError("a body that is too long")
    if head.length is None:
        return _complete(head, data[start:], len(data), closes=True) if at_end else None
    stop = start + head.length
    return _complete(head, data[start:stop], stop) if len(data) >= stop else None


def read_head(data: bytes) -> Head:
    """Read a status line and headers. May raise MalformedHttpError."""
    status_line, *lines = data.decode("latin-1").split("\r\n")
    version, status = status_line[:9], status_line[9:_STATUS_LINE_LENGTH]
    if version not in {"HTTP/1.1 ", "HTTP/1.0 "} or not (status.isascii() and status.isdigit()):
        raise MalformedHttpError("no answer of HTTP/1.1")
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, _, value = line.partition(":")
        headers.add(name.strip(), value.strip())
    connection = headers.get("Connection", "").lower()
    keeps = version == "HTTP/1.1 " or "keep-alive" in connection
    is_chunked = headers.get("Transfer-Encoding", "").lower().endswith("chunked")
    return Head(
        reply=reply_of(int(status), headers, b""),
        length=_length(int(status), headers),
        is_chunked=is_chunked,
        closes="close" in connection or not keeps,
    )


def _length(status: int, headers: CIMultiDict[str]) -> int | None:
    if status in _NO_BODY:
        return 0
    value = headers.get("Content-Length")
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > len(str(MAX_BODY_BYTES)):
        raise MalformedHttpError("a length that is no number, or too large")
    return int(value)


def _complete(head: Head, body: bytes, size: int, *, closes: bool = False) -> HttpAnswer:
    reply = msgspec.structs.replace(head.reply, body=body)
    return HttpAnswer(reply, size, closes or head.closes)


def _chunked(head: Head, data: bytes, at: int) -> HttpAnswer | None:
    """Read a body in chunks (RFC 9112 7.1)."""
    body = bytearray()
    while (line_end := data.find(b"\r\n", at)) >= 0:
        try:
            size = int(data[at:line_end].partition(b";")[0], 16)
        except ValueError:
            raise MalformedHttpError("a chunk without a size") from None
        at = line_end + 2
        if size == 0:
            return _after_chunks(head, data, at, bytes(body))
        body += data[at : at + size]
        at += size + 2
        if size < 0 or len(body) > MAX_BODY_BYTES:
            raise MalformedHttpError("a body that is too long")
    return None


def _after_chunks(head: Head, data: bytes, at: int, body: bytes) -> HttpAnswer | None:
    """Skip the trailers, and the empty line after them."""
    while (line_end := data.find(b"\r\n", at)) >= 0:
        if line_end == at:
            return _complete(head, body, at + 2)
        at = line_end + 2
    return None
