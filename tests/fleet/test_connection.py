"""A device's connection: kept, closed, cut and broken, on real sockets."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, cast
from unittest import mock
from urllib.parse import urlsplit

import pytest

from deviceflow.device.answers import Reply
from deviceflow.fleet.connection import CLOSED, Connection, Network, resolve
from deviceflow.fleet.share import LoopTime
from deviceflow.fleet.tally import Tally
from deviceflow.fleet.verdict import WrongKind
from tests.stage.tls import Certificates
from tests.stage.waiting import until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = b"POST /token HTTP/1.1\r\n\r\n"


class Sender:
    """A sender that waits for what becomes of its request."""

    def __init__(self, connection: Connection, tally: Tally) -> None:
        self.connection, self.tally = connection, tally
        self._heard: asyncio.Future[Reply | str] = asyncio.get_running_loop().create_future()

    def answered(self, reply: Reply) -> None:
        self._heard.set_result(reply)

    def failed(self, cause: str) -> None:
        self._heard.set_result(cause)

    async def send(self, *, closes: bool = False) -> Reply | str:
        self._heard = asyncio.get_running_loop().create_future()
        self.connection.send(REQUEST, self, to_token=True, closes=closes)
        async with asyncio.timeout(10):
            return await self._heard

    def wrong(self) -> dict[str, int]:
        return self.tally.end_second(0, 0.0).wrong


class Server:
    """A server of raw bytes. `say`: what it writes to a request; b"" closes."""

    def __init__(self) -> None:
        self.connections = 0
        self.open: set[asyncio.Transport] = set()
        self.say: list[bytes] = [OK]


class ServerSide(asyncio.Protocol):
    """A connection as the server has it."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.open.add(self._transport)
        self._server.connections += 1

    def data_received(self, _: bytes) -> None:
        for piece in self._server.say:
            if piece:
                self._transport.write(piece)
            else:
                self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._server.open.remove(self._transport)


@asynccontextmanager
async def opened(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Server, Sender]]:
    server = Server()
    loop = asyncio.get_running_loop()
    running = await loop.create_server(lambda: ServerSide(server), "127.0.0.1", 0, ssl=tls)
    port = running.sockets[0].getsockname()[1]
    address = await resolve(urlsplit(f"{'https' if tls else 'http'}://127.0.0.1:{port}/token"))
    tally = Tally()
    network = Network(LoopTime(0.0), tally, address, address)
    connection = Connection(network)
    async with running:
        yield server, Sender(connection, tally)
        connection.hang_up()
        await network.close()
        await until(lambda: not server.open)


async def test_of_several_addresses_one_that_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as (_, sender):
        port = sender.connection._network.address(to_token=True).port
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))
            for host in ("127.0.0.2", "127.0.0.1")
        ]
        resolver = mock.AsyncMock(return_value=found)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver)
        assert (await resolve(urlsplit(f"http://tv.example:{port}/token"))).host == "127.0.0.1"


async def test_a_connection_is_kept() -> None:
    async with opened() as (server, sender):
        for _ in range(3):
            assert await sender.send() == Reply(status=200, body=b"ok")
        assert (server.connections, sender.tally.connections) == (1, 1)


async def test_a_connection_for_each_request() -> None:
    async with opened() as (server, sender):
        for _ in range(3):
            assert isinstance(await sender.send(closes=True), Reply)
        assert (server.connections, sender.tally.connections) == (3, 0)


async def test_a_server_that_closes_after_its_answer() -> None:
    async with opened() as (server, sender):
        server.say = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"ok", b""]
        for _ in range(2):
            assert await sender.send() == Reply(status=200, body=b"ok")
        assert server.connections == 2


async def test_a_server_that_closes_without_an_answer() -> None:
    async with opened() as (server, sender):
        server.say = [OK[:30], b""]
        assert await sender.send() == CLOSED
        server.say = [OK]
        assert isinstance(await sender.send(), Reply)


async def test_a_connection_that_has_broken_and_has_not_said_so_yet() -> None:
    """In uvloop, its transport raises RuntimeError at a write until `connection_lost` is called."""
    async with opened() as (server, sender):
        assert isinstance(await sender.send(), Reply)
        transport = sender.connection._transport
        assert transport is not None
        transport.abort()
        assert isinstance(await sender.send(), Reply)
        assert (server.connections, sender.tally.connections) == (2, 1)


async def test_bytes_that_are_no_http() -> None:
    async with opened() as (server, sender):
        server.say = [b"220 smtp.example ready\r\n\r\n"]
        assert await sender.send() == "malformed HTTP: no answer of HTTP/1.1"


async def test_an_answer_too_many() -> None:
    async with opened() as (server, sender):
        server.say = [OK + OK]
        assert isinstance(await sender.send(), Reply)
        assert sender.wrong() == {WrongKind.UNASKED: 1}
        server.say = [OK]
        assert isinstance(await sender.send(), Reply)
        assert server.connections == 2


async def test_a_connection_that_comes_with_its_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, a loop sees the connection and the end of the time in one turn."""

    async def connect_late(*arguments: Any, **options: Any) -> None:  # noqa: ANN401, asyncio's
        transport, _ = await made(*arguments, **options)
        transport.close()
        raise TimeoutError

    async with opened() as (server, sender):
        loop = asyncio.get_running_loop()
        made = loop.create_connection
        monkeypatch.setattr(loop, "create_connection", connect_late)
        assert await sender.send() == "no answer within 10 s"
        assert sender.tally.connections == 0
        monkeypatch.setattr(loop, "create_connection", made)
        assert isinstance(await sender.send(), Reply)
        assert server.connections == 2


async def test_a_connection_comes_from_its_source() -> None:
    async with opened() as (server, sender):
        sender.connection._network._sources = cycle(["127.0.0.2"])
        assert isinstance(await sender.send(), Reply)
        assert {each.get_extra_info("peername")[0] for each in server.open} == {"127.0.0.2"}


async def test_a_source_that_is_not_of_this_machine() -> None:
    async with opened() as (_, sender):
        sender.connection._network._sources = cycle(["203.0.113.1"])
        assert await sender.send() == "cannot assign requested address"


async def test_nothing_is_heard_after_hanging_up() -> None:
    async with opened() as (server, sender):
        sender.connection.send(REQUEST, sender, to_token=True, closes=False)
        sender.connection.hang_up()
        assert isinstance(await sender.send(), Reply)
        assert server.connections <= 2


async def test_tls_checks_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = Certificates(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificates.server)
    async with opened(tls) as (_, sender):
        assert "certificate" in str(await sender.send())
        assert sender.tally.connections == 0
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    async with opened(tls) as (server, sender):
        for _ in range(2):
            assert await sender.send() == Reply(status=200, body=b"ok")
        assert server.connections == 1
