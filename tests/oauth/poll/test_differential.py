"""The lane and the ordinary handler give the same answers, byte for byte.

Two workers over one store, each with a pace table of its own, one with the lane and one
without. Hypothesis makes requests that are ordinary, odd and broken, cuts them into segments
and puts several into one; what both workers say on the whole connection, up to its end, has to
be the same, but for the date and what is random in tokens and codes.

`FUZZ_EXAMPLES` is the number of examples.
"""

import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from itertools import permutations
from typing import NamedTuple

import msgspec
import pytest
import structlog
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from deviceflow.core.client import Client
from deviceflow.core.grant import Event, State
from deviceflow.oauth.poll import aiohttp_protocol
from tests.stage.clock import Clock
from tests.stage.examples import unless_few
from tests.stage.oauth import Stage
from tests.stage.served import METADATA, Issued, Mint, Served, issue, poll, post, serve
from tests.stage.waiting import turns_until

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", unless_few(250)))

# Clients whose names mean something else once they are decoded.
ODD_CLIENTS = tuple(
    Client(client_id=name, name="Odd", scopes=("profile",))
    for name in ("a+b", "a%41", "x=y", "x&y", "https://example.com/tv", "é".encode().hex())
)

VARYING = re.compile(
    rb"(?<=\r\nDate: )[^\r]*"
    rb"|(?<=\r\nX-Request-ID: )[^\r]*"
    rb'|(?<="(?:device_code)":")[^"]*|(?<="user_code":")[^"]*'
    rb"|(?<=\?user_code=)[^\"]*"
    rb'|(?<="access_token":")[^"]*|(?<="refresh_token":")[^"]*|(?<="id_token":")[^"]*'
)


class Pair(NamedTuple):
    """The two workers, and codes for both."""

    with_lane: Served
    without: Served
    stage: Stage
    mint: Mint


# Device codes: a stand-in of the same length, which each worker's own code takes the place of


def stand_in(kind: str) -> bytes:
    return f"@{kind}".ljust(43, "@").encode()


KINDS = ("pending", "denied", "cancelled", "redeemed", "hinted", "expired", "foreign", "approved")


class Codes:
    """The codes of one example, the same for both workers."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._made: dict[str, bytes] = {}
        self._approved: Issued | None = None
        self._stored = b""

    async def fill(self, stream: bytes) -> bytes:
        for kind in KINDS:
            mark = stand_in(kind)
            if mark in stream:
                if kind not in self._made:
                    self._made[kind] = await self._new(kind)
                stream = stream.replace(mark, self._made[kind])
        return stream

    async def put_back(self) -> None:
        """Undo what the first worker did to the approved grant."""
        if self._approved is None:
            return
        first, second = self._pair.with_lane.mirror, self._pair.without.mirror
        grant = self._approved.grant
        # Its announcement must not come after what is learned here.
        await turns_until(lambda: first.state_of(grant.id) is second.state_of(grant.id))
        second.learn(grant.id, State.APPROVED, grant.expires_at)
        await self._pair.stage.redis.restore(
            self._key(grant.id), grant.expires_at * 1000, self._stored, replace=True, absttl=True
        )

    async def _new(self, kind: str) -> bytes:
        mint = self._pair.mint
        if kind == "approved":
            return await self._approve()
        if kind == "expired":
            return mint.code(lifetime=0)
        if kind == "foreign":
            return mint.code(client_id="other-tv")
        grant_id = mint.new_id()
        if kind != "pending":
            state = None if kind == "hinted" else State(kind)
            for side in (self._pair.with_lane, self._pair.without):
                side.mirror.learn(grant_id, state, int(self._pair.stage.clock()) + 600)
        return mint.code(grant_id)

    async def _approve(self) -> bytes:
        people = self._pair.stage.people
        issued = await issue(people.grants, self._pair.stage.clock())
        await people.grants.claim(issued.grant, "sub-ada")
        await people.grants.decide(issued.grant, Event.APPROVE, await people.subject("ada"))
        for side in (self._pair.with_lane, self._pair.without):
            await side.knows(issued.grant_id, State.APPROVED)
        self._stored = await self._pair.stage.redis.dump(self._key(issued.grant_id)) or b""
        self._approved = issued
        return issued.code

    def _key(self, grant_id: int) -> str:
        return self._pair.stage.people.grants._key(grant_id)


# Requests


def often(usual: bytes, *odd: bytes) -> st.SearchStrategy[bytes]:
    """Mostly what is usual: a request with ten oddities is only ever refused for the first."""
    return st.sampled_from([usual] * (20 * len(odd)) + list(odd))


def one_in(n: int) -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * (n - 1) + [True])


GRANT_TYPE = b"urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = (
    b"grant_type=" + GRANT_TYPE,
    b"grant_type=" + GRANT_TYPE.replace(b":", b"%3A"),
    b"grant_type=" + GRANT_TYPE.replace(b":", b"%3a"),
    b"grant_type=" + GRANT_TYPE.replace(b":", b"%3A", 2),
    b"grant_type=" + GRANT_TYPE.replace(b"_", b"%5F"),
    b"grant%5Ftype=" + GRANT_TYPE,
    b"grant_type=" + GRANT_TYPE + b"+",
    b"grant_type=" + GRANT_TYPE.upper(),
    b"grant_type=refresh_token",
    b"grant_type=",
    b"grant_type",
    b"",
)
grant_types = often(*GRANT_TYPES)
CODES = tuple(b"device_code=" + stand_in(kind) for kind in KINDS)
ODD_CODES = tuple(
    b"device_code=" + code
    for code in (
        b"",
        b"A" * 43,
        b"A" * 42,
        b"A" * 44,
        b"A" * 700,
        b"%41" * 43,
        b"a b",
        b"+",
        b"%",
        b"%zz",
        b"\xff",
        b"\x00",
        b"a=b",
        stand_in("pending")[:42],
        stand_in("pending") + b"+",
        stand_in("pending") + b"%20",
        stand_in("pending") + b"\n",
        b"%20" + stand_in("pending"),
    )
)
device_codes = st.sampled_from([CODES[0]] * 40 + [*CODES] * 3 + [*ODD_CODES])
CLIENT_IDS = (
    b"client_id=tv-app",
    *(b"client_id=" + name for name in (b"other-tv", b"off", b"console", b"box", b"nobody", b"")),
    *(b"client_id=" + client.client_id.encode() for client in ODD_CLIENTS),
    b"client_id=tv%2Dapp",
    b"client_id=tv-app+",
    b"client%5fid=tv-app",
    b"client_id",
    b"CLIENT_ID=tv-app",
    b"",
)
client_ids = often(*CLIENT_IDS)
EXTRAS = (
    b"scope=profile",
    b"client_secret=",
    b"client_secret=x",
    b"client_id=tv-app",
    b"device_code=x",
    b"grant_type=x",
    b"=",
    b"",
    b"foo",
    b"resource=%F0%9F%92%A9",
    b"%ff=%fe",
)
ENDS = (b"", b"&", b"\r\n", b" ", b"\x00", b"x")


@st.composite
def poll_bodies(draw: st.DrawFn) -> bytes:
    parts = [draw(grant_types), draw(device_codes), draw(client_ids)]
    if draw(one_in(15)):
        parts.append(draw(st.sampled_from(EXTRAS)))
    if draw(one_in(20)):
        parts.pop(draw(st.integers(0, len(parts) - 1)))
    body = b"&".join(draw(st.permutations(parts)))
    return body + draw(often(*ENDS))


HEADERS = [
    b"User-Agent: curl/8.14.1",
    b"Accept: */*",
    b"accept-encoding: gzip, br",
    b"X-Forwarded-For: 203.0.113.7, 10.0.0.1",
    b"X-Forwarded-Proto: https",
    b"Forwarded: for=203.0.113.7;proto=https",
    b"Via: 1.1 proxy (x)",
    b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    b"Cookie: a=b; c=d",
    b"X-Empty:",
    b"X-Blank:   \t ",
    b"X-Tab:\tone\ttwo\t ",
    b"Prefer: wait=5",
    b"PREFER:wait=5",
    b"Prefer: wait=0",
    b"Prefer: wait=007",
    b"Prefer: wait=abc",
    b"Prefer: wait=5, respond-async",
    b"Prefer: respond-async; foo=bar",
    b"Prefer:",
    b"Connection: close",
    b"connection: Close",
    b"Connection: keep-alive",
    b"Connection: Keep-Alive",
    b"Connection: keep-alive, close",
    b"Connection: close, keep-alive",
    b"Connection:",
    b"Keep-Alive: timeout=5, max=100",
    b"Origin: null",
    b"Origin: https://tv.example.com",
    b"origin:https://tv.example.com",
    b"Origin: https://tv.example.com\r\nOrigin: https://other.example",
    b"Range: bytes=0-1",
    b"If-None-Match: *",
    b"DPoP: x",
    b"Priority: u=1, i",
    b"Referer: /?device_code=" + stand_in("pending"),
    b"Referer: /?device_code=" + stand_in("denied"),
]
BROKEN = [
    b"Expect: 100-continue",
    b"Expect: x",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Upgrade: websocket\r\nConnection: Upgrade",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ",
    b"Connection: upgrade",
    b"Connection: content-length",
    b"Connection: x",
    b"Proxy-Connection: close",
    b"Transfer-Encoding: chunked",
    b"transfer-encoding: identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding:",
    b"Transfer_Encoding: chunked",
    b"Content-Length: 0",
    b"content-length: 5",
    b"Content-Length:",
    b"Content_Length: 5",
    b"Content-Encoding: gzip",
    b"Content-Encoding: identity",
    b"Content-Type: text/plain",
    b"content-type: application/x-www-form-urlencoded",
    b"Content-Type:",
    b"Host: two",
    b"host:",
    b"User-Agent: one\r\nUser-Agent: two",
    b"ETag: a\r\nETag: b",
    b"Max-Forwards: 1\r\nMax-Forwards: 2",
    b"Server: a\r\nserver: b",
    b"Content-Range: a\r\nContent-Range: a",
    b"Content-Location: /a\r\nContent-Location: /b",
    b"Authorization: Basic eDp5",
    b"Authorization: Bearer x",
    b"Proxy-Authorization: Basic eDp5",
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    b"Sec-WebSocket-Key1: x",
    b"Sec-WebSocket-Version: 13",
    b"TE: trailers",
    b"Trailer: X",
    b"X-HTTP-Method-Override: GET",
    b"Prefer: wait=1\r\nPrefer: wait=2",
    b"Prefer: a\r\nPrefer: wait=2",
    b"X-Folded: a\r\n b",
    b"X-Folded: a\r\n\tContent-Length: 3",
    b" X: leading",
    b"X : before the colon",
    b"X\t: before the colon",
    b"no colon",
    b": no name",
    b"B(d: x",
    b"X\x00: y",
    b"X: \x00",
    b"X: a\x00b",
    b"X: \x01",
    b"X: \x7f",
    b"X: \xff\xfe",
    b"X: caf\xc3\xa9",
    b"X: a\rb",
    b"X: a\nY: b",
    b"X: a\n",
    b"\r",
    b"X: " + b"y" * 5000,
    b"X: " + b"y" * 9000,
    b"\r\n".join([b"X: y"] * 70),
    b"\r\n".join([b"X: y"] * 140),
]
header_lists = st.tuples(
    st.lists(st.sampled_from(HEADERS), max_size=3, unique=True),
    one_in(5).flatmap(
        lambda is_broken: st.lists(
            st.sampled_from(BROKEN), min_size=int(is_broken), max_size=int(is_broken)
        )
    ),
).map(lambda lists: lists[0] + lists[1])

LINES = (
    b"POST /oauth2/token HTTP/1.1",
    b"POST /oauth2/token HTTP/1.0",
    b"POST /oauth2/token HTTP/1.2",
    b"POST /oauth2/token HTTP/2.0",
    b"POST /oauth2/token HTTP/1.1 ",
    b"POST  /oauth2/token HTTP/1.1",
    b"POST /oauth2/token\tHTTP/1.1",
    b"POST /oauth2/token",
    b"POST http://x/oauth2/token HTTP/1.1",
    b"POST /oauth2/token?a=b HTTP/1.1",
    b"POST /oauth2/token?client_secret=b HTTP/1.1",
    b"POST /oauth2/token/ HTTP/1.1",
    b"POST //oauth2/token HTTP/1.1",
    b"POST /oauth2/./token HTTP/1.1",
    b"POST /oauth2/%74oken HTTP/1.1",
    b"POST /oauth2/token#x HTTP/1.1",
    b"post /oauth2/token HTTP/1.1",
    b"PUT /oauth2/token HTTP/1.1",
    b"GET /oauth2/token HTTP/1.1",
    b"HEAD /oauth2/token HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"CONNECT x:80 HTTP/1.1",
    b"PRI * HTTP/2.0",
    b"\r\nPOST /oauth2/token HTTP/1.1",
    b"\nPOST /oauth2/token HTTP/1.1",
    b"POST /oauth2/token HTTP/1.1\r\n",
)
lines = often(*LINES)
HOSTS = (
    b"Host: 127.0.0.1:8628",
    b"host: x",
    b"Host:",
    b"Host: a b",
    b"Host: \xff",
    b"Host: [::1",
    b"",
)
hosts = often(*HOSTS)
TYPES = (
    b"Content-Type: application/x-www-form-urlencoded",
    b"content-type:application/x-www-form-urlencoded",
    b"Content-Type: Application/X-WWW-Form-URLEncoded; charset=UTF-8",
    b"Content-Type: application/x-www-form-urlencoded;charset=utf-8",
    b'Content-Type: application/x-www-form-urlencoded; charset="utf-8"',
    b"Content-Type: application/x-www-form-urlencoded; charset=latin-1",
    b"Content-Type: application/x-www-form-urlencoded;",
    b"Content-Type: application/x-www-form-urlencoded, text/plain",
    b"Content-Type: application/json",
    b"Content-Type: multipart/form-data; boundary=x",
    b"",
)
types = often(*TYPES)


def length_lines(length: int) -> tuple[bytes, ...]:
    name = b"Content-Length: "
    numbers = (length, length + 1, length + 40, max(length - 1, 0), length // 2, 0, 10**20 - 1)
    forms = (b"%d ", b"0%d", b"+%d", b"-%d", b"%d.0", b"%d,", b"\t%d", b"%d;")
    return (
        *(name + b"%d" % number for number in numbers),
        *(name + form % length for form in forms),
        b"content-length:%d" % length,
        name + b"%d,%d" % (length, length),
        name + b"0x%x" % length,
        name + b"999999999",
        name + b"abc",
        name,
        b"",
    )


def one_oddity() -> Iterator[bytes]:
    """Requests that are a poll but for one thing."""
    usual = (GRANT_TYPES[0], CODES[0], CLIENT_IDS[0])
    for i, odd in enumerate((GRANT_TYPES, (*CODES, *ODD_CODES), CLIENT_IDS)):
        for part in odd:
            yield assemble(b"&".join([*usual[:i], part, *usual[i + 1 :]]))
    for order in permutations(usual):
        yield assemble(b"&".join(order))
    body = b"&".join(usual)
    for extra in EXTRAS:
        yield assemble(body + b"&" + extra)
        yield assemble(extra + b"&" + body)
    for end in ENDS:
        yield assemble(body + end)
    for line in LINES:
        yield assemble(body, line=line)
    for i, odd in enumerate((HOSTS, TYPES, length_lines(len(body)))):
        for field in odd:
            fields = [HOSTS[0], TYPES[0], length_lines(len(body))[0]]
            fields[i] = field
            yield assemble(body, *fields)
    for header in (*HEADERS, *BROKEN):
        yield assemble(body, HOSTS[0], TYPES[0], length_lines(len(body))[0], header)
        yield assemble(body, header, HOSTS[0], TYPES[0], length_lines(len(body))[0])


def assemble(body: bytes, *fields: bytes, line: bytes = LINES[0]) -> bytes:
    fields = fields or (HOSTS[0], TYPES[0], length_lines(len(body))[0])
    return b"\r\n".join([line, *(field for field in fields if field), b"", body])


@st.composite
def polls(draw: st.DrawFn) -> bytes:
    body = draw(poll_bodies())
    fields = [draw(hosts), draw(types), draw(often(*length_lines(len(body)))), *draw(header_lists)]
    fields = draw(st.permutations([field for field in fields if field]))
    ends = draw(often(b"\r\n", b"\n", b"\r", b"\r\r\n"))
    at = draw(st.integers(0, len(fields)))
    head = draw(lines)
    for i, field in enumerate([*fields, b""]):
        head += (ends if i == at else b"\r\n") + field
    head += draw(often(b"\r\n", b"\n", b"\r\n\r\n"))
    return head + body


@st.composite
def chunked_polls(draw: st.DrawFn) -> bytes:
    body = draw(poll_bodies())
    at = draw(st.integers(0, len(body)))
    chunks = [chunk for chunk in (body[:at], body[at:]) if chunk]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n"
    return (
        b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    ) + coded + draw(often(b"\r\n", b"X: y\r\n\r\n", b"", b"\r\n\r\n"))  # fmt: skip


PLAIN_POLL = poll(stand_in("pending"))
others = st.sampled_from(
    [
        METADATA,
        METADATA.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        b"GET /oauth2/jwks HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /oauth2/jwks HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(PLAIN_POLL)
        + PLAIN_POLL,
        b"HEAD /oauth2/jwks HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /oauth2/token HTTP/1.1\r\nHost: x\r\n\r\n",
        post(b"/nowhere", PLAIN_POLL),
        post(b"/oauth2/jwks", PLAIN_POLL),
        post(b"/oauth2/token", b"x" * 3000),
        post(b"/oauth2/token", b"grant_type=refresh_token&refresh_token=x&client_id=tv-app"),
        post(b"/oauth2/device_authorization", b"client_id=tv-app"),
        post(b"/oauth2/device_authorization", b"client_id=nobody"),
        PLAIN_POLL,
        poll(stand_in("approved")),
    ]
)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A request with one stretch of bytes replaced."""
    request = draw(st.one_of(polls(), others))
    at = draw(st.integers(0, len(request)))
    length = draw(st.integers(0, 3))
    pieces = [b"\r\n", b"\n", b"\r", b"\x00", b" ", b":", b"\r\n\r\n", b"\xff", b"0", b"&", b"="]
    return request[:at] + draw(st.sampled_from([b"", *pieces])) + request[at + length :]


class Script(NamedTuple):
    """What a client sends, segment by segment, and whether it waits for answers in between."""

    segments: list[bytes]
    waits: bool


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    kinds = [polls()] * 7 + [chunked_polls(), mangled(), others]
    requests = st.sampled_from(range(len(kinds))).flatmap(lambda n: kinds[n])
    parts = draw(st.lists(requests, min_size=1, max_size=3))
    if not draw(st.booleans()):
        parts = cut(b"".join(parts), draw(st.lists(st.integers(0, 4000), max_size=3)))
    return Script(parts, draw(st.booleans()))


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % len(stream) for place in places} - {0}) if stream else []
    return [stream[a:b] for a, b in zip([0, *ends], [*ends, len(stream)], strict=True)]


# The test


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Of broken requests nobody wants to read."""
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
    logging.getLogger("aiohttp.server").setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def _short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an oversized head, the server listens on for seconds, or until the client hangs up."""
    monkeypatch.setattr(aiohttp_protocol, "LINGER_S", 0.05)


@pytest.fixture
def cors_origins() -> tuple[str, ...]:
    """The setting `server.cors_origins`."""
    return ("*",)


@pytest.fixture
def hold_s() -> int:
    """The setting `device.hold_s`."""
    return 0


@pytest.fixture
async def pair(stage: Stage, cors_origins: tuple[str, ...], hold_s: int) -> AsyncIterator[Pair]:
    stage.settings = msgspec.structs.replace(
        stage.settings,
        clients=(*stage.settings.clients, *ODD_CLIENTS),
        server=msgspec.structs.replace(stage.settings.server, cors_origins=cors_origins),
    )
    # There is no room for held polls, so all are answered at once.
    device = {"max_held": 0, "hold_s": hold_s}
    async with (
        serve(stage, lane=True, device=device) as with_lane,
        serve(stage, lane=False, device=device) as without,
    ):
        yield Pair(with_lane, without, stage, Mint(stage))


@pytest.mark.parametrize(
    ("cors_origins", "hold_s"), [(("*",), 0), ((), 10), (("https://tv.example.com",), 0)], ids=str
)
async def test_one_oddity(pair: Pair, clock: Clock) -> None:
    differing = []
    for request in one_oddity():
        script = Script([request], waits=False)
        codes = Codes(pair)
        here = await talk(pair.with_lane, script, codes)
        await codes.put_back()
        if here != await talk(pair.without, script, codes):
            differing.append(request)
        clock.advance(0.1)
    assert differing == []


class Transcript(NamedTuple):
    """All that a worker said, and whether it had closed before the client did."""

    said: bytes
    closed: bool


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=scripts())
async def test_same_bytes(pair: Pair, clock: Clock, script: Script) -> None:
    note(f"sent: {script}")
    codes = Codes(pair)
    here = await talk(pair.with_lane, script, codes)
    await codes.put_back()
    there = await talk(pair.without, script, codes)
    assert here == there
    clock.advance(0.1)


async def talk(side: Served, script: Script, codes: Codes) -> Transcript:
    """Say it all, then a poll and an ordinary request, and hang up."""
    whole = b"".join(script.segments)
    filled = await codes.fill(whole)
    segments = []
    for segment in script.segments:
        segments.append(filled[: len(segment)])
        filled = filled[len(segment) :]
    async with await side.connect() as peer:
        for segment in segments:
            await peer.send(segment)
            if script.waits:
                await peer.settle()
        await peer.settle()
        closed = peer.at_server.is_closing
        for last in (await codes.fill(PLAIN_POLL), METADATA):
            await peer.send(last)
            await peer.settle()
        connection = peer.at_server
    await turns_until(lambda: connection.lost)
    return Transcript(VARYING.sub(b"*", connection.said), closed)
