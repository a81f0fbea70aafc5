"""What a poll of a pending grant costs, over connections of each kind."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from benchmarks.paths.cost import Cost, RequestMeter
from benchmarks.polls import CODE_LENGTH, poll_start, seal
from benchmarks.processes import BenchmarkError
from benchmarks.servers import PLAIN, Competitor
from benchmarks.stores import Store
from benchmarks.wire import CONNECTIONS, Lines
from deviceflow.core.device_code import DeviceCodes

WAIT_S = 1
PENDING_CODE = "A" * CODE_LENGTH
"""The code that is pending at the plain handler."""


class PollKind(NamedTuple):
    """How polls come. `wait` (s): how long the server holds them.

    `is_kept`: over kept connections. `resumes`: each new connection resumes a TLS session.
    """

    is_kept: bool = True
    resumes: bool = False
    wait: int = 0


KINDS = {
    "poll, connection kept": PollKind(),
    "poll, a connection each": PollKind(is_kept=False),
    "poll, held for a second": PollKind(wait=WAIT_S),
}
TLS_KINDS = {
    "TLS, connection kept": PollKind(),
    "TLS, session resumed": PollKind(is_kept=False, resumes=True),
    "TLS, full handshake": PollKind(is_kept=False),
}


class Polls:
    """Polls of pending grants, each of a grant of its own."""

    def __init__(self, codes: DeviceCodes, store: Store, polls: int) -> None:
        self._codes = codes
        self._store = store
        self._polls = polls
        self._sealed: list[str] = []
        self._taken = count()

    async def cost(
        self, server: Competitor, kind: PollKind, tls: ssl.SSLContext | None = None
    ) -> Cost:
        """Poll, and return what a poll costs. May raise BenchmarkError."""
        start = poll_start(server.port, close=not kind.is_kept, wait=kind.wait)
        # A poll over a connection of its own takes longer, so fewer are enough.
        number = self._polls if kind.is_kept else self._polls // 2
        requests = [start + code.encode() for code in self._next_codes(server)[:number]]
        meter = RequestMeter(server.pids, self._store)
        if kind.is_kept:
            connections = len(requests) if kind.wait else CONNECTIONS
            async with Lines.open(server.port, connections, tls) as lines:
                with meter.measuring(len(requests)):
                    bodies = [answer.body for answer in await lines.send_all(requests)]
        else:
            with meter.measuring(len(requests)):
                bodies = await asyncio.to_thread(
                    _each_alone, server.port, requests, tls, resumes=kind.resumes
                )
        wrong = next((body for body in bodies if b"authorization_pending" not in body), None)
        if wrong is not None:
            raise BenchmarkError(f"{server.name}: a poll was answered {wrong!r}")
        return meter.cost

    def _next_codes(self, server: Competitor) -> list[str]:
        if server.name == PLAIN:
            return [PENDING_CODE] * self._polls
        # A code that was polled a moment ago would be too fast.
        turn = next(self._taken)
        if not turn % 16:
            self._sealed = seal(self._codes, 16 * self._polls)
        first = turn % 16 * self._polls
        return self._sealed[first : first + self._polls]


def _each_alone(
    port: int, requests: Sequence[bytes], tls: ssl.SSLContext | None, *, resumes: bool
) -> list[bytes]:
    """Send each request over a connection of its own, one after the other."""
    session: ssl.SSLSession | None = None
    bodies = []
    for request in requests:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as bare:
            if tls is None:
                bodies.append(_ask(bare, request))
                continue
            with tls.wrap_socket(bare, session=session) as secure:
                bodies.append(_ask(secure, request))
                if resumes and secure.session is not None:
                    session = secure.session
    return bodies


def _ask(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    received = b""
    # The server closes after its answer.
    while part := connection.recv(65_536):
        received += part
    return received
