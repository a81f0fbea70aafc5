"""The private names of aiohttp that `deviceflow/oauth/poll/aiohttp_protocol.py` reads.

aiohttp is pinned to a minor version because of them. When one of these tests fails after an
update: read aiohttp's `web_protocol.py` again, and find what now tells (1) that a connection
waits for its next request, (2) whether a request's body has arrived, (3) how many requests
were read. Change the properties of `AiohttpProtocol` accordingly, then the pin in pyproject.toml,
then these tests; `tests/oauth/poll/test_connection.py` has to pass as it is.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from deviceflow.oauth.answers import SERVER
from deviceflow.oauth.poll.aiohttp_protocol import AiohttpProtocol, aiohttp_protocol
from tests.stage.waiting import PATIENCE_S, turns_until

WHAT_TO_DO = "aiohttp has changed inside: see the top of tests/oauth/poll/test_aiohttp_protocol.py"
REQUEST = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"


class Connection:
    """aiohttp's protocol on a connection, with a handler that a test releases."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.release = asyncio.Event()
        self.inner: AiohttpProtocol
        self.writer: asyncio.StreamWriter
        self.reader: asyncio.StreamReader

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.started.set()
        await self.release.wait()
        return web.Response(body=await request.read())

    @property
    def waits(self) -> bool:
        waiter = self.inner._waiter
        return waiter is not None and not waiter.done()

    def current(self) -> web.BaseRequest | None:
        return self.inner._current_request


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    made = Connection()
    server = web.Server(made.handle)

    def accept() -> AiohttpProtocol:
        made.inner = aiohttp_protocol(server)
        return made.inner

    listener = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    made.reader, made.writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
    await turns_until(lambda: hasattr(made, "inner") and made.inner.transport is not None)
    yield made
    made.release.set()
    made.writer.close()
    listener.close()
    await server.shutdown(1)


async def test_the_names_exist(connection: Connection) -> None:
    for name in ("_waiter", "_current_request", "_request_count"):
        assert hasattr(connection.inner, name), f"{name}: {WHAT_TO_DO}"


async def test_the_waiter_is_pending_between_requests_only(connection: Connection) -> None:
    await turns_until(lambda: connection.waits)
    first = connection.inner._waiter
    connection.writer.write(REQUEST)
    await connection.started.wait()
    assert connection.inner._waiter is None, WHAT_TO_DO
    connection.release.set()
    await turns_until(lambda: connection.waits)
    assert connection.inner._waiter is not first, WHAT_TO_DO


async def test_the_waiter_is_done_as_soon_as_a_head_is_complete(connection: Connection) -> None:
    """In data_received itself, not a turn of the loop later."""
    await turns_until(lambda: connection.waits)
    waiter = connection.inner._waiter
    connection.inner.data_received(REQUEST[:10])
    assert waiter is not None
    assert not waiter.done(), WHAT_TO_DO
    assert connection.inner._waiter is waiter, WHAT_TO_DO
    connection.inner.data_received(REQUEST[10:])
    assert waiter.done(), WHAT_TO_DO
    await connection.started.wait()


async def test_the_waiter_is_unset_while_a_body_is_unread(connection: Connection) -> None:
    """After an early answer aiohttp lingers over the rest of the body."""
    await turns_until(lambda: connection.waits)

    async def early(_: web.BaseRequest) -> web.Response:
        return web.Response()

    connection.inner._request_handler = early
    connection.writer.write(REQUEST[:-2])
    await connection.reader.readuntil(b"\r\n\r\n")
    for _ in range(20):
        await asyncio.sleep(0)
        assert not connection.waits, WHAT_TO_DO
    connection.writer.write(REQUEST[-2:])
    await turns_until(lambda: connection.waits)


async def test_the_current_request_and_its_body(connection: Connection) -> None:
    await turns_until(lambda: connection.waits)
    assert connection.current() is None, WHAT_TO_DO
    connection.writer.write(REQUEST[:-2])
    await connection.started.wait()
    request = connection.current()
    assert request is not None, WHAT_TO_DO
    assert not request.content.is_eof(), WHAT_TO_DO
    connection.writer.write(REQUEST[-2:])
    await turns_until(request.content.is_eof)
    connection.release.set()
    await turns_until(lambda: connection.waits)
    assert connection.current() is None, WHAT_TO_DO


async def test_the_count_of_requests_is_of_heads_that_were_read(connection: Connection) -> None:
    await turns_until(lambda: connection.waits)
    connection.inner.data_received(REQUEST[:10])
    assert connection.inner._request_count == 0, WHAT_TO_DO
    connection.inner.data_received(REQUEST[10:-2])
    assert connection.inner._request_count == 1, WHAT_TO_DO
    connection.inner.data_received(REQUEST[-2:] + REQUEST)
    assert connection.inner._request_count == 2, WHAT_TO_DO


async def test_what_the_lane_asks(connection: Connection) -> None:
    """The properties through the life of one request, whose body comes in two pieces."""
    inner = connection.inner
    await turns_until(lambda: inner.waits)
    assert inner.waiter is not None
    assert (inner.has_served, inner.is_reading_body) == (False, None)
    connection.writer.write(REQUEST[:-2])
    await connection.started.wait()
    assert not inner.waits
    assert (inner.has_served, inner.is_reading_body) == (True, True)
    connection.writer.write(REQUEST[-2:])
    await turns_until(lambda: inner.is_reading_body is False)
    connection.release.set()
    await turns_until(lambda: inner.waits)
    assert (inner.has_served, inner.is_reading_body) == (True, None)


async def test_what_an_end_asks(connection: Connection) -> None:
    """Which requests are queued, with their bodies, and whether one is being served."""
    inner = connection.inner
    await turns_until(lambda: inner.waits)
    assert not inner.end(), WHAT_TO_DO
    inner.data_received(REQUEST + REQUEST[:-2])
    assert [body.is_eof() for _, body in inner._messages] == [True, False], WHAT_TO_DO
    assert not inner.end(), WHAT_TO_DO
    await connection.started.wait()
    assert inner._request_in_progress, WHAT_TO_DO
    inner.data_received(REQUEST[-2:])
    assert inner.end(), WHAT_TO_DO
    connection.release.set()
    async with asyncio.timeout(PATIENCE_S):
        assert (await connection.reader.read()).count(b"HTTP/1.1 200") == 2, WHAT_TO_DO


async def test_a_compressed_body_is_not_inflated(connection: Connection) -> None:
    """A few bytes of it may be gigabytes."""
    body = gzip.compress(b"a" * 1_000_000)
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    connection.release.set()
    connection.writer.write(head % len(body) + body)
    async with asyncio.timeout(PATIENCE_S):
        await connection.reader.readuntil(b"\r\n\r\n")
        assert await connection.reader.readexactly(len(body)) == body


async def test_what_is_no_http_is_not_repeated(connection: Connection) -> None:
    """The answer of aiohttp itself repeats the bytes, and names its version."""
    connection.writer.write(b"GET /?device_code=a-secret \x00 nonsense\r\n\r\n")
    async with asyncio.timeout(PATIENCE_S):
        answer = await connection.reader.read()
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b'"error":"invalid_request"' in answer
    assert f"Server: {SERVER}\r\n".encode() in answer
    assert b"secret" not in answer
    assert b"aiohttp" not in answer.lower()
