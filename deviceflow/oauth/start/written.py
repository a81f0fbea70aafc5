"""Answers of the lane of starts, in bytes: those that aiohttp would send."""

from collections.abc import Mapping

from aiohttp import web

from deviceflow.core.clock import Clock
from deviceflow.oauth.answers import json_response
from deviceflow.oauth.poll.wire import wire
from deviceflow.ops.request_id import HEADER

_LENGTH = b"Content-Length: %d"
_ID = f"{HEADER}: %s".encode()


class WrittenAnswers:
    """Writes answers. `headers` is added to each, last."""

    def __init__(self, clock: Clock, headers: Mapping[str, str]) -> None:
        self._clock = clock
        self._headers = headers
        # The head of an answer with codes, by whether the connection ends after it.
        self._heads: dict[bool, bytes] = {}
        self._second = 0.0

    def codes(self, body: bytes, request_id: str, *, close: bool) -> bytes:
        """Write a message in JSON, the answer of a start."""
        now = self._clock()
        if not 0 <= now - self._second < 1:
            # The Date header changes with the second, in either direction.
            self._heads.clear()
            self._second = now // 1
        head = self._heads.get(close)
        if head is None:
            head = self._heads[close] = self._head(close=close)
        return head % (request_id.encode(), len(body)) + body

    def other(self, response: web.Response, *, close: bool) -> bytes:
        """Write any other answer."""
        return wire(response, self._clock(), self._headers, close=close)

    def _head(self, *, close: bool) -> bytes:
        """Return the head of every answer with codes, with places for its id and its length."""
        response = json_response({})
        response.headers[HEADER] = "-"
        whole = self.other(response, close=close)
        head = whole.removesuffix(response.body).replace(b"%", b"%%")  # type: ignore[arg-type]
        length = _LENGTH % len(response.body)  # type: ignore[arg-type]
        return head.replace(_ID % b"-", _ID, 1).replace(length, _LENGTH, 1)
