"""The lane: a pending poll answered straight from the bytes that arrived.

One complete, ordinary token request is recognised strictly, its device code opened, the mirror
and the pace table consulted, and a prebuilt answer returned: no task, no request object, no
await. Whatever is not recognised to the last byte is not the lane's business: it goes to the
ordinary handler unharmed (`lane_connection.py`), which gives the very same answers.

All devices of a kind send the same bytes but for the device code, so what those bytes mean is
remembered, and a poll of a known shape is read by one look into a table.
"""

import re
from collections.abc import Callable
from email.utils import formatdate
from typing import NamedTuple

from aiohttp import web

from deviceflow.core.client import Clients
from deviceflow.core.device_code import CODE_LENGTH, DeviceCode
from deviceflow.core.grant import Poll
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.oauth.answers import SERVER
from deviceflow.oauth.device_code_grant import answer_poll
from deviceflow.oauth.held import applied
from deviceflow.oauth.polls import Polls, Verdict

MAX_HEAD = 4096
MAX_BODY = 1024
MAX_HEADERS = 64
REMEMBERED_SHAPES = 1024

_PENDING = Poll.AUTHORIZATION_PENDING
_LINE = re.compile(rb"(?:GET|POST) /[\x21-\x7e]* HTTP/1\.1")
_HEADER = re.compile(
    # The blanks in front are not given back, or a value of nothing but blanks takes n^2 steps.
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*+((?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?)[ \t]*"
)
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,8}")
_FORM = re.compile(rb"application/x-www-form-urlencoded(?:; ?charset=utf-8)?", re.IGNORECASE)
_WAIT = re.compile(rb"wait=(0|[1-9][0-9]{0,4})")
_VERIFIER = re.compile(rb"code_verifier=[A-Za-z0-9._~-]+")
_PLAIN = re.compile(rb"[A-Za-z0-9._~-]+")
_ENCODED = re.compile(rb"[%+&]")

# These change framing, authentication or meaning: their requests take the ordinary way.
_ORDINARY_ONLY = frozenset(
    {
        b"authorization", b"content-encoding", b"dpop", b"expect", b"http2-settings",
        b"proxy-authorization", b"proxy-connection", b"sec-websocket-key", b"sec-websocket-key1",
        b"te", b"trailer", b"transfer-encoding", b"upgrade", b"x-http-method-override",
    }
)  # fmt: skip
# aiohttp refuses a request that has one of these twice; what two of the others mean it decides.
_ONCE = frozenset(
    {
        b"connection", b"content-length", b"content-location", b"content-range", b"content-type",
        b"etag", b"host", b"max-forwards", b"prefer", b"server", b"user-agent",
    }
)  # fmt: skip

_GRANT_TYPES = frozenset(
    f"grant_type={DEVICE_CODE_GRANT}".replace(":", colon).encode() for colon in (":", "%3A", "%3a")
)


class Head(NamedTuple):
    """What a header block says; `wait` (s) is 0 where nobody asked for a held poll."""

    line: bytes
    content_length: int
    close: bool
    is_poll: bool
    wait: int


class Shape(NamedTuple):
    """All that a poll says beside its device code; `wait` in s."""

    client_id: bytes
    close: bool
    wait: int


class Reply(NamedTuple):
    """An answer in bytes, and whether the connection ends with it."""

    data: bytes
    close: bool


class Waiting(NamedTuple):
    """A pending poll that asks to be held, for `wait` s at most."""

    code: DeviceCode
    wait: int
    close: bool


class Incomplete(NamedTuple):
    """A poll of which `missing` bytes have not arrived yet."""

    missing: int


Taken = Reply | Waiting | Incomplete | None


def read_head(block: bytes) -> Head | None:
    """What `block` says: the bytes of a request up to its empty line, without that line.

    None for anything unusual, in particular for whatever changes where the request ends.
    """
    line, *lines = block.split(b"\r\n")
    if len(lines) > MAX_HEADERS or _LINE.fullmatch(line) is None:
        return None
    seen: dict[bytes, bytes] = {}
    for text in lines:
        header = _HEADER.fullmatch(text)
        if header is None:
            return None
        name = header[1].lower()
        if name in _ORDINARY_ONLY or (name in _ONCE and name in seen):
            return None
        seen[name] = header[2]
    return _head(line, seen)


def _head(line: bytes, seen: dict[bytes, bytes]) -> Head | None:
    connection = seen.get(b"connection", b"keep-alive").lower()
    length = seen.get(b"content-length", b"0")
    if connection not in {b"keep-alive", b"close"} or _LENGTH.fullmatch(length) is None:
        return None
    prefer = seen.get(b"prefer")
    wait = _WAIT.fullmatch(prefer) if prefer is not None else None
    is_poll = (
        line.startswith(b"POST ")
        and b"host" in seen
        and _FORM.fullmatch(seen.get(b"content-type", b"")) is not None
        and (prefer is None or wait is not None)
        and int(length) <= MAX_BODY
    )
    return Head(line, int(length), connection == b"close", is_poll, int(wait[1]) if wait else 0)


def read_poll(body: bytes) -> tuple[bytes, bytes] | None:
    """The device code and the client id of a body with just the parameters of a poll.

    Any order; no value that would have to be decoded (RFC 8628 3.4). A code_verifier may be
    there: it counts at redemption, which is not the lane's.
    """
    parts = body.split(b"&")
    if len(parts) != 3:  # noqa: PLR2004, grant_type, device_code, client_id
        parts = _without_verifier(parts)
    device_code = client_id = b""
    is_poll = False
    for part in parts:
        if part.startswith(b"device_code="):
            device_code = part[12:]
        elif part.startswith(b"client_id="):
            client_id = part[10:]
        elif part in _GRANT_TYPES:
            is_poll = True
    if is_poll and _PLAIN.fullmatch(device_code) and client_id:
        return device_code, client_id
    return None


def _without_verifier(parts: list[bytes]) -> list[bytes]:
    """The three other parameters of a poll with a code_verifier; nothing if there are more."""
    rest = [part for part in parts if _VERIFIER.fullmatch(part) is None]
    return rest if len(parts) == 4 and len(rest) == 3 else []  # noqa: PLR2004, as said


class Lane:
    """Answers polls of public clients in one worker.

    `max_wait` (s) is the cap on held polls, `base` what stands before the endpoint's path.
    """

    def __init__(
        self,
        polls: Polls,
        clients: Clients,
        clock: Callable[[], float],
        *,
        max_wait: int,
        base: str = "",
    ) -> None:
        self._polls = polls
        self._line = f"POST {base}/oauth2/token HTTP/1.1".encode()
        self._registered = clients
        self._clock = clock
        self._max_wait = max_wait
        self._shapes: dict[bytes, Shape] = {}
        self._prebuilt: dict[tuple[str, int, bool], Reply] = {}
        self._second = 0
        clients.on_change(self._read_clients)
        self._read_clients()

    def take(self, data: bytes) -> Taken:
        """What the lane makes of `data`, the first bytes after a finished request.

        None: it is the ordinary handler's. Nothing has been done with it then.
        """
        # A request that was read before, but for the device code in it, needs no more reading.
        start = data.find(b"device_code=") + 12
        end = start + CODE_LENGTH
        shape = self._shapes.get(data[:start] + data[end:])
        if shape is not None:
            verdict = self._polls.judge(data[start:end], shape.client_id)
            # Not a code of ours: perhaps not even one value, so read on strictly.
            if verdict.code is not None:
                return self._answer(verdict, shape)
        return self._take_unknown(data)

    def reply(self, answer: Poll, interval: int = 0, *, close: bool, held_for: int = 0) -> Reply:
        """The answer in bytes; `held_for` (s) where a wait was granted (RFC 7240)."""
        response = answer_poll(Verdict(answer, interval=interval))
        if held_for:
            response.headers.update(applied(held_for))
        return Reply(_wire(response, self._clock(), close=close), close)

    def _take_unknown(self, data: bytes) -> Taken:
        end = data.find(b"\r\n\r\n")
        head = read_head(data[:end]) if 0 < end <= MAX_HEAD else None
        if head is None or not head.is_poll or head.line != self._line:
            return None
        body = data[end + 4 :]
        missing = head.content_length - len(body)
        if missing:
            return Incomplete(missing) if missing > 0 else None
        poll = read_poll(body)
        if poll is None or poll[1] not in self._clients:
            return None
        shape = Shape(poll[1], head.close, head.wait)
        # A code_verifier is one device's own: a shape with it would be no other's.
        if b"code_verifier=" not in body:
            self._remember(data, len(data) - len(body), poll[0], shape)
        return self._answer(self._polls.judge(*poll), shape)

    def _remember(self, data: bytes, body_at: int, device_code: bytes, shape: Shape) -> None:
        start = data.find(b"device_code=") + 12
        end = start + CODE_LENGTH
        if data[start:end] != device_code or len(device_code) != CODE_LENGTH:
            return
        if start < body_at:
            # A header has it too: the code would be cut out, and later read, there.
            return
        if len(self._shapes) >= REMEMBERED_SHAPES:
            self._shapes.clear()
        self._shapes[data[:start] + data[end:]] = shape

    def _answer(self, verdict: Verdict, shape: Shape) -> Taken:
        answer, code, interval = verdict
        if answer is None:
            return None
        if answer is _PENDING and shape.wait and code is not None:
            return Waiting(code, min(shape.wait, self._max_wait), shape.close)
        second = int(self._clock())
        if second != self._second:
            # The Date header holds for the rest of this second (which may be set back).
            self._prebuilt.clear()
            self._second = second
        # `_value_`: the member itself computes its hash anew, and `value` is a function call.
        key = (answer._value_, interval, shape.close)
        reply = self._prebuilt.get(key)
        if reply is None:
            reply = self.reply(answer, interval, close=shape.close)
            self._prebuilt[key] = reply
        return reply

    def _read_clients(self) -> None:
        """Only clients that need no proof, and whose names need no decoding."""
        self._clients = frozenset(
            client.client_id.encode()
            for client in self._registered
            if client.enabled
            and client.auth_method == "none"
            and client.dpop == "optional"
            and not _ENCODED.search(client.client_id.encode())
        )
        self._shapes.clear()


def _wire(response: web.Response, now: float, *, close: bool) -> bytes:
    """`response` as aiohttp would send it, to the byte."""
    body = response.body
    if not isinstance(body, bytes):
        raise TypeError("an answer of the lane has its body at hand")
    headers = dict(response.headers)
    headers["Content-Length"] = str(len(body))
    headers["Date"] = formatdate(now, usegmt=True)
    headers["Server"] = SERVER
    if close:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
