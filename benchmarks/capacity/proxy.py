"""What a poll costs nginx in front of the server, by how the connection of the device came.

Devices are threads of this process with blocking sockets: nginx has several polls at once.
"""

import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.certificate import client_context
from benchmarks.processes import BenchmarkError, cpu_seconds, memory_bytes
from benchmarks.tls_proxy import TlsProxy

KEPT, CONNECTING, IDLE = 3_000, 400, 1_000
DEVICES = 16


class ProxyCosts:
    """Measures one nginx. `figures`: by the names of `Proxy` in costs.toml."""

    def __init__(self, proxy: TlsProxy) -> None:
        self._proxy = proxy
        self.figures: dict[str, float] = {}

    def run(self, polls: Sequence[bytes]) -> None:
        """Measure with these polls. May raise BenchmarkError."""
        kept = [polls[i % len(polls)] for i in range(KEPT)]
        few = kept[:CONNECTING]
        figures, plain, secure = self.figures, self._proxy.plain, self._proxy.secure
        figures["plain_us"] = self._timed(kept, Device(plain, None, keeps=True))
        figures["kept_us"] = self._timed(kept, Device(secure, client_context(), keeps=True))
        figures["connecting_us"] = self._timed(few, Device(plain, None))
        figures["full_us"] = self._timed(few, Device(secure, client_context()))
        figures["resumed_us"] = self._timed(few, Device(secure, client_context(), resumes=True))
        figures["connection_bytes"] = self._idle()
        figures["full_bytes"], figures["resumed_bytes"] = handshake_bytes(self._proxy.folder)

    def _timed(self, polls: Sequence[bytes], device: "Device") -> float:
        """Return the CPU time of nginx for each poll, in us."""
        shares = [polls[number::DEVICES] for number in range(DEVICES)]
        with ThreadPoolExecutor(DEVICES) as pool:
            list(pool.map(device.poll, [share[:5] for share in shares]))
            before = cpu_seconds((self._proxy.pid,))
            list(pool.map(device.poll, shares))
            return 1e6 * (cpu_seconds((self._proxy.pid,)) - before) / len(polls)

    def _idle(self) -> float:
        """Return the memory of an idle connection with TLS."""
        before, context = memory_bytes(self._proxy.pid), client_context()
        lines = [_open(self._proxy.secure, context, None) for _ in range(IDLE)]
        grown = memory_bytes(self._proxy.pid) - before
        for line in lines:
            line.close()
        return grown / IDLE


class Device(NamedTuple):
    """A kind of device: whether it keeps its connection, or its TLS session."""

    port: int
    tls: ssl.SSLContext | None
    keeps: bool = False
    resumes: bool = False

    def poll(self, polls: Sequence[bytes]) -> None:
        """Send the polls. May raise BenchmarkError: a session was not resumed."""
        line: socket.socket | None = None
        session: ssl.SSLSession | None = None
        for number, poll in enumerate(polls):
            if line is None:
                line = _open(self.port, self.tls, session)
            line.sendall(poll)
            if not line.recv(4_096).startswith(b"HTTP/1.1 400 "):
                raise BenchmarkError("a poll was not answered as pending")
            if self.resumes and isinstance(line, ssl.SSLSocket):
                if number and not line.session_reused:
                    raise BenchmarkError("nginx did not resume a session")
                # The ticket of TLS 1.3 comes with the first answer.
                session = line.session
            if not self.keeps:
                line.close()
                line = None
        if line is not None:
            line.close()


def _open(port: int, tls: ssl.SSLContext | None, session: ssl.SSLSession | None) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    return tls.wrap_socket(raw, session=session) if tls else raw


def handshake_bytes(folder: Path) -> tuple[float, float]:
    """Return the bytes of a full handshake and of a resumed one, both directions together."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "tls.pem")
    client = client_context()
    full, session = _shake(server, client, None)
    resumed, _ = _shake(server, client, session)
    return full, resumed


def _shake(
    server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[float, ssl.SSLSession | None]:
    """Shake hands in memory; return the bytes that went over, and the session."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    device = client.wrap_bio(to_client, to_server, session=session)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    moved = 0
    for _ in range(3):
        for side, sent in ((device, to_server), (other, to_client)):
            before = sent.pending
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
            moved += sent.pending - before
    with suppress(ssl.SSLWantReadError):
        # The ticket of TLS 1.3 comes after the handshake.
        device.read(1)
    return float(moved), device.session
