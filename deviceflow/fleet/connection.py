"""A device's connection to the server: plain or TLS, kept or made anew, with one request at a time.

It is lean, because there are tens of thousands in a process (docs/decisions/0054 has the figures).
"""

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle
from typing import NamedTuple
from urllib.parse import SplitResult

from deviceflow.device.causes import cause_of
from deviceflow.device.errors import UnreachableError
from deviceflow.device.transport import origin
from deviceflow.fleet.http import AnswerReader, HttpAnswer, MalformedHttpError
from deviceflow.fleet.result import Operation
from deviceflow.fleet.tally import Tally
from deviceflow.fleet.verdict import WrongKind
from deviceflow.fleet.world import Listener, Time
from deviceflow.tasks import end

CONNECT_S = 10.0
PROBE_S = 1.0
CLOSED = "closed before the answer"

_BIND_ADDRESS_NO_PORT = 24
"""IP_BIND_ADDRESS_NO_PORT of linux/in.h."""

_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """Where an endpoint is: `host` is an IP address, `name` the name that TLS checks.

    Two endpoints of one server have the same object, and share a connection.
    """

    host: str
    port: int
    name: str
    tls: ssl.SSLContext | None


async def resolve(url: SplitResult, sources: Sequence[str] = ()) -> Address:
    """Look up an endpoint, once for all devices. May raise UnreachableError.

    Of several addresses, take the first that accepts a connection: `localhost` is often ::1 first,
    where many servers do not listen. `sources`: the addresses that connections come from.
    """
    name, port = url.hostname or "", url.port or _PORTS[url.scheme]
    loop, family = asyncio.get_running_loop(), _family(sources[0]) if sources else 0
    try:
        found = await loop.getaddrinfo(name, port, family=family, type=socket.SOCK_STREAM)
    except OSError as error:
        reason = f"the name {name} is not known"
        if sources:
            reason = f"{name} has no address that {sources[0]} connects to"
        raise UnreachableError(origin(url.geturl()), reason) from error
    tls = ssl.create_default_context() if url.scheme == "https" else None
    hosts = list(dict.fromkeys(str(each[4][0]) for each in found))
    return Address(await _accepting(hosts, port), port, name, tls)


async def _accepting(hosts: Sequence[str], port: int) -> str:
    """Return the first host that accepts a connection, or the only one."""
    loop = asyncio.get_running_loop()
    for host in hosts if len(hosts) > 1 else ():
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(PROBE_S):
                transport, _ = await loop.create_connection(asyncio.Protocol, host, port)
            transport.close()
            return host
    return hosts[0]


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _cause(error: Exception) -> str:
    """Name the cause of a failure: the same words for all connections, without their ports."""
    number = getattr(error, "errno", None)
    if not isinstance(error, ssl.SSLError | TimeoutError) and isinstance(number, int):
        return os.strerror(number).lower()
    return cause_of(error, CONNECT_S, None).reason


def _bound(source: str) -> socket.socket:
    """Return a socket that connects from `source`. May raise OSError.

    Linux chooses the port when it connects, not here: then two connections to different servers
    may have the same port, and the search for a free one is short (docs/decisions/0054).
    """
    sock = socket.socket(_family(source))
    try:
        sock.settimeout(0)
        if sys.platform == "linux" and sock.family is socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        sock.bind((source, 0))
    except OSError:
        sock.close()
        raise
    return sock


class Network:
    """What the connections of a process share.

    `sources`: the addresses that connections come from, in turn. Without any, the system chooses.
    """

    def __init__(
        self, time: Time, tally: Tally, start: Address, token: Address, sources: Sequence[str] = ()
    ) -> None:
        self.time, self.tally = time, tally
        self.reader = AnswerReader()
        self._addresses = (start, token)
        self._sources = cycle([*sources] or [""])
        self._connecting: set[asyncio.Task[None]] = set()

    def address(self, *, to_token: bool) -> Address:
        """Return where an endpoint is."""
        return self._addresses[to_token]

    def connect(self, connection: "Connection", address: Address) -> None:
        """Begin to connect."""
        task = asyncio.get_running_loop().create_task(self._connect(connection, address))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def close(self) -> None:
        """End the attempts to connect."""
        await end(*self._connecting)

    async def _connect(self, connection: "Connection", address: Address) -> None:
        began = self.time.now()
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._open(connection, address, next(self._sources))
        except (OSError, TimeoutError) as error:
            connection.not_connected(_cause(error))
        else:
            self.tally.latency(Operation.CONNECT, self.time.now() - began)

    async def _open(self, connection: "Connection", address: Address, source: str) -> None:
        loop, name = asyncio.get_running_loop(), address.name if address.tls else None
        if not source:
            await loop.create_connection(
                lambda: connection,
                address.host,
                address.port,
                ssl=address.tls,
                server_hostname=name,
            )
            return
        sock = _bound(source)
        try:
            await loop.sock_connect(sock, (address.host, address.port))
            await loop.create_connection(
                lambda: connection, sock=sock, ssl=address.tls, server_hostname=name
            )
        except BaseException:
            sock.close()
            raise


class Connection(asyncio.Protocol):
    """A device's connection to the server."""

    __slots__ = (
        *("_address", "_buffer", "_closes", "_is_connecting", "_listener", "_network", "_request"),
        "_transport",
    )

    def __init__(self, network: Network) -> None:
        self._network = network
        self._address: Address | None = None
        self._transport: asyncio.Transport | None = None
        self._listener: Listener | None = None
        self._request = self._buffer = b""
        self._closes = self._is_connecting = False

    def send(self, request: bytes, listener: Listener, *, to_token: bool, closes: bool) -> None:
        """Send a request, over a new connection if there is none to this endpoint."""
        self._request, self._listener, self._closes = request, listener, closes
        address = self._network.address(to_token=to_token)
        transport = self._transport
        # A broken transport is closing before `connection_lost` is called, and takes no bytes.
        if transport is not None and address is self._address and not transport.is_closing():
            transport.write(request)
            return
        self._drop()
        self._address = address
        if not self._is_connecting:
            self._is_connecting = True
            self._network.connect(self, address)

    def hang_up(self) -> None:
        """Close the connection. The listener hears of no answer from now on."""
        self._listener = None
        self._drop()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request that waits for the connection."""
        self._is_connecting = False
        self._transport = transport  # type: ignore[assignment]
        self._network.tally.connections += 1
        if self._listener is None:
            self._drop()
        else:
            self._transport.write(self._request)  # type: ignore[union-attr]

    def not_connected(self, cause: str) -> None:
        """Report that there is no connection, or that it was closed as soon as it was made.

        The second happens at a time-out, and uvloop then calls `connection_made` alone.
        """
        self._is_connecting = False
        self._drop()
        self._fail(cause)

    def data_received(self, data: bytes) -> None:
        """Read an answer, which may come in pieces."""
        if self._listener is None:
            self._unasked()
            return
        self._read(self._buffer + data if self._buffer else data, at_end=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report a request without an answer. Between two requests, the server may close."""
        if self._transport is None:
            return
        self._transport = None
        self._network.tally.connections -= 1
        if self._listener is None:
            return
        if self._buffer:
            self._read(self._buffer, at_end=True)
        if self._listener is not None:
            self._fail(_cause(exc) if exc else CLOSED)

    def _read(self, data: bytes, *, at_end: bool) -> None:
        try:
            answer = self._network.reader.read(data, at_end=at_end)
        except MalformedHttpError as error:
            self._drop()
            self._fail(f"malformed HTTP: {error}")
            return
        if answer is None:
            self._buffer = data
        else:
            self._answered(answer, len(data))

    def _answered(self, answer: HttpAnswer, received: int) -> None:
        listener, self._listener, self._buffer = self._listener, None, b""
        if received > answer.size:
            self._unasked()
        elif answer.closes or self._closes:
            self._drop()
        if listener is not None:
            listener.answered(answer.reply)

    def _fail(self, cause: str) -> None:
        listener, self._listener, self._buffer = self._listener, None, b""
        if listener is not None:
            listener.failed(cause)

    def _unasked(self) -> None:
        """Count bytes that answer no request, and close the connection."""
        now = self._network.time.now()
        self._network.tally.wrong(WrongKind.UNASKED, "bytes after an answer", now)
        self._drop()

    def _drop(self) -> None:
        self._buffer = b""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            self._network.tally.connections -= 1
            transport.abort()
