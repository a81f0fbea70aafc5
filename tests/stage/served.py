"""A worker as a device meets it: the door, the lane and aiohttp behind it, on a real socket.

`serve` starts one over a stage's store, with a pace table of its own. A `Peer` is a connection
of raw bytes: it decides where a segment ends, and knows when the server has read it.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

import msgspec
from aiohttp import web

from deviceflow.app import Apps
from deviceflow.core.device_code import NONCE_BITS
from deviceflow.core.grant import State
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.oauth.poll.aiohttp_protocol import AiohttpProtocol
from deviceflow.oauth.poll.connection import LaneConnection
from deviceflow.oauth.poll.door import Door
from deviceflow.oauth.poll.lane import LaneAnswer, LaneResult, WaitingPoll
from deviceflow.oauth.poll.later import IncompleteRequest, LaterAnswer
from deviceflow.store.feed import Feed
from deviceflow.store.grant_records import Grant, GrantRequest
from deviceflow.store.grants import Grants
from deviceflow.store.mirror import Mirror
from deviceflow.worker import open_runner, serving
from tests.stage.oauth import Stage
from tests.stage.waiting import PATIENCE_S, turns_until

PACE_BYTES = 8 * 4096
QUIET_TURNS = 8
FORM = b"Content-Type: application/x-www-form-urlencoded"
METADATA = b"GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: x\r\n\r\n"


class Recording(asyncio.Transport):
    """A transport that keeps what is written to it, even if the client reads no more."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self.said = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said += data
        self._transport.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401, of any method
        if name in {"_transport", "said", "write", "writelines"}:
            return super().__getattribute__(name)
        return getattr(self._transport, name)


class Watched(LaneConnection):
    """A connection that counts the bytes it got, and keeps those it said."""

    def __init__(self, door: Door, known: "dict[int, Watched]") -> None:
        super().__init__(door)
        self.received = 0
        self.segments = 0
        self.lost = False
        self.has_ended = False
        self._known = known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(Recording(cast("asyncio.Transport", transport)))
        self._known[transport.get_extra_info("peername")[1]] = self

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.segments += 1
        super().data_received(data)

    def eof_received(self) -> bool:
        self.has_ended = True
        return super().eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost = True
        super().connection_lost(exc)

    @property
    def said(self) -> bytes:
        """All that the server wrote."""
        said: bytes = self.transport.said  # type: ignore[attr-defined]
        return said

    @property
    def inner(self) -> Any:  # noqa: ANN401, aiohttp's protocol, whose names are private
        return self._aiohttp

    @property
    def is_closing(self) -> bool:
        return self.lost or self.transport.is_closing()

    @property
    def is_settled(self) -> bool:
        """Nothing happens here before more bytes arrive."""
        if self._later is not None:
            return self.is_closing
        inner = self._aiohttp
        if self.is_closing or inner is None:
            return True
        request = inner._current_request
        if request is not None:
            return not request.content.is_eof()
        return not inner._messages and not inner._request_in_progress


class WatchedDoor(Door):
    """A door that knows its connections by the client's port, and counts.

    `made`: aiohttp's protocols; `lane_answers`: polls that the lane answered or holds; `starts`:
    those that their lane took.
    """

    def __init__(self, *parts: Any, **options: Any) -> None:  # noqa: ANN401, as Door takes them
        super().__init__(*parts, **options)
        self.known: dict[int, Watched] = {}
        self.made = 0
        self.lane_answers = self.starts = 0
        take, make_aiohttp, take_later = self.take, self.make_aiohttp, self.take_later

        def counted_take(data: bytes) -> LaneResult:
            taken = take(data)
            self.lane_answers += isinstance(taken, (LaneAnswer, WaitingPoll))
            return taken

        def counted_take_later(
            data: bytes, peername: object
        ) -> LaterAnswer | IncompleteRequest | None:
            taken = take_later(data, peername)
            self.starts += taken is not None and not isinstance(taken, IncompleteRequest)
            return taken

        def counted() -> AiohttpProtocol:
            self.made += 1
            return make_aiohttp()

        self.take = counted_take
        self.take_later = counted_take_later
        self.make_aiohttp = counted  # type: ignore[method-assign]

    def __call__(self) -> Watched:
        return Watched(self, self.known)


class Reply(NamedTuple):
    """One answer in bytes."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    @property
    def error(self) -> str:
        """The error code, empty for tokens."""
        return str(msgspec.json.decode(self.body).get("error", ""))

    @property
    def json(self) -> dict[str, Any]:
        decoded: dict[str, Any] = msgspec.json.decode(self.body)
        return decoded

    def header(self, name: str) -> str | None:
        found = re.search(rf"(?im)^{name}: (.*?)\r$".encode(), self.head)
        return found[1].decode() if found else None


class Peer:
    """The client's end of one connection, in bytes."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        known: dict[int, Watched],
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.sent = 0
        self._known = known
        self._port: int = writer.get_extra_info("sockname")[1]

    @property
    def at_server(self) -> Watched:
        """The other end."""
        return self._known[self._port]

    async def send(self, *pieces: bytes) -> None:
        """Send each piece once the server has read the one before it; nothing once it closes."""
        await turns_until(lambda: self._port in self._known)
        for piece in pieces:
            if self.at_server.is_closing:
                return
            self.sent += len(piece)
            self.writer.write(piece)
            await turns_until(self._has_arrived)

    async def settle(self) -> None:
        """Wait until the server does nothing any more before more bytes arrive."""
        quiet = 0
        async with asyncio.timeout(PATIENCE_S):
            while quiet < QUIET_TURNS:
                await turns_until(lambda: self.at_server.is_settled)
                await asyncio.sleep(0)
                quiet = quiet + 1 if self.at_server.is_settled else 0

    async def answer(self) -> Reply:
        """The next whole answer."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = await self.reader.readexactly(int(length[1]) if length else 0)
        return Reply(head, body)

    async def ask(self, *pieces: bytes) -> Reply:
        """Send, and read the answer."""
        await self.send(*pieces)
        return await self.answer()

    async def rest(self) -> bytes:
        """All that still comes, until the server closes."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    def close(self) -> None:
        self.writer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.close()

    def _has_arrived(self) -> bool:
        connection = self.at_server
        return connection.received >= self.sent or connection.is_closing


class Served:
    """One worker behind its door."""

    def __init__(self, apps: Apps, door: WatchedDoor, port: int) -> None:
        self.apps = apps
        self.door = door
        self.port = port

    @property
    def made(self) -> int:
        """How many of aiohttp's protocols were made."""
        return self.door.made

    @property
    def lane_answers(self) -> int:
        """How many polls the lane answered or holds."""
        return self.door.lane_answers

    @property
    def mirror(self) -> Mirror:
        return self.apps.parts.mirror

    @property
    def feed(self) -> Feed:
        return self.apps.parts.feed

    async def connect(self) -> Peer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        return Peer(reader, writer, self.door.known)

    async def knows(self, grant_id: int, state: State) -> None:
        await turns_until(lambda: self.mirror.state_of(grant_id) is state)


@asynccontextmanager
async def serve(
    stage: Stage,
    *,
    lane: bool = True,
    device: dict[str, int] | None = None,
    server: dict[str, int] | None = None,
    routes: Iterable[web.RouteDef] = (),
) -> AsyncIterator[Served]:
    """A worker on a socket of its own; `device` and `server` are settings to change."""
    replace = msgspec.structs.replace
    settings = replace(
        stage.settings,
        server=replace(stage.settings.server, lane=lane, **(server or {})),
        device=replace(stage.settings.device, **(device or {})),
    )
    apps = await stage.build(settings, memoryview(bytearray(PACE_BYTES)))
    apps.public.add_routes(routes)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(0)
        runner = await open_runner(apps.public, settings.server)
        async with serving(apps, runner, sock, WatchedDoor) as door:
            assert isinstance(door, WatchedDoor)
            served = Served(apps, door, sock.getsockname()[1])
            await turns_until(lambda: served.feed.reachable and served.feed.subscribed)
            yield served


class Issued(NamedTuple):
    """A grant that is in the store, and its device code."""

    code: bytes
    grant: Grant

    @property
    def grant_id(self) -> int:
        return self.grant.id


async def issue(
    grants: Grants, now: float, *, client_id: str = "tv-app", lifetime: int = 600, interval: int = 5
) -> Issued:
    """A grant in the store."""
    request = GrantRequest(client_id, "profile", int(now), "127.0.0.1", "test")
    codes = await grants.issue(request, UserCodeFormat(), lifetime, interval)
    grant = await grants.find(codes.user_code)
    assert grant is not None
    return Issued(codes.device_code.encode(), grant)


class Mint:
    """Device codes of grants that need no store: pending is the absence of a decision."""

    def __init__(self, stage: Stage) -> None:
        self._codes = stage.people.grants._installation.codes
        self._clock = stage.clock
        self._slot = 0

    def new_id(self) -> int:
        self._slot += 1
        return self._slot << NONCE_BITS | self._slot & 0xFFFFFF

    def code(
        self,
        grant_id: int | None = None,
        *,
        client_id: str = "tv-app",
        lifetime: int = 600,
        interval: int = 5,
    ) -> bytes:
        number = self.new_id() if grant_id is None else grant_id
        expires_at = int(self._clock()) + lifetime
        return self._codes.seal(number, expires_at, interval, client_id).encode()


def poll_body(code: bytes, client_id: bytes = b"tv-app") -> bytes:
    return b"grant_type=%b&device_code=%b&client_id=%b" % (
        DEVICE_CODE_GRANT.encode(),
        code,
        client_id,
    )


def poll(code: bytes, *headers: bytes, client_id: bytes = b"tv-app") -> bytes:
    """A poll, with more header lines."""
    return post(b"/oauth2/token", poll_body(code, client_id), *headers)


def post(path: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST %b HTTP/1.1" % path, b"Host: x", FORM, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *headers, b"", body])
