"""nginx in front of the server: what a poll costs it, by how the connection of the device came.

Its settings are those of config/proxies/nginx.conf that a poll meets, with one process and without
a log. Devices are threads of this process with blocking sockets: nginx has several polls at once.
"""

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from string import Template
from tempfile import mkdtemp
from typing import NamedTuple

from benchmarks.certificate import client_context, make_certificate
from benchmarks.processes import (
    BenchmarkError,
    cpu_seconds,
    free_port,
    memory_bytes,
    running,
    wait_for_port,
)
from benchmarks.servers import nginx_path

KEPT, CONNECTING, IDLE = 3_000, 400, 1_000
DEVICES = 16
CONFIG = Template("""\
daemon off; master_process off; pid $folder/nginx.pid; $user
error_log $folder/error.log;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $folder/body; proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi; uwsgi_temp_path $folder/uwsgi; scgi_temp_path $folder/scgi;
    client_max_body_size 16k; client_body_buffer_size 16k;
    keepalive_timeout 75s; keepalive_requests 10000;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:10m; ssl_session_tickets on;
    upstream deviceflow {
        server 127.0.0.1:$target; keepalive 512; keepalive_requests 100000; keepalive_timeout 60s;
    }
    server {
        listen 127.0.0.1:$plain; listen 127.0.0.1:$secure ssl;
        ssl_certificate $folder/tls.pem; ssl_certificate_key $folder/tls.pem;
        proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $$host;
        proxy_set_header X-Forwarded-For $$remote_addr;
        location / { proxy_pass http://deviceflow; }
    }
}
""")


class ProxyCosts:
    """Measures one nginx in `folder`. `figures`: by the names of `Proxy` in costs.toml."""

    def __init__(self, folder: Path, pid: int, plain: int, secure: int) -> None:
        self._folder, self._pid = folder, pid
        self._plain, self._secure = plain, secure
        self.figures: dict[str, float] = {}

    def run(self, polls: Sequence[bytes]) -> None:
        """Measure with these polls. May raise BenchmarkError."""
        kept = [polls[i % len(polls)] for i in range(KEPT)]
        few = kept[:CONNECTING]
        figures = self.figures
        figures["plain_us"] = self._timed(kept, Device(self._plain, None, keeps=True))
        figures["kept_us"] = self._timed(kept, Device(self._secure, client_context(), keeps=True))
        figures["connecting_us"] = self._timed(few, Device(self._plain, None))
        figures["full_us"] = self._timed(few, Device(self._secure, client_context()))
        figures["resumed_us"] = self._timed(
            few, Device(self._secure, client_context(), resumes=True)
        )
        figures["connection_bytes"] = self._idle()
        figures["full_bytes"], figures["resumed_bytes"] = handshake_bytes(self._folder)

    def _timed(self, polls: Sequence[bytes], device: "Device") -> float:
        """Return the CPU time of nginx for each poll, in us."""
        shares = [polls[number::DEVICES] for number in range(DEVICES)]
        with ThreadPoolExecutor(DEVICES) as pool:
            list(pool.map(device.poll, [share[:5] for share in shares]))
            before = cpu_seconds((self._pid,))
            list(pool.map(device.poll, shares))
            return 1e6 * (cpu_seconds((self._pid,)) - before) / len(polls)

    def _idle(self) -> float:
        """Return the memory of an idle connection with TLS."""
        before, context = memory_bytes(self._pid), client_context()
        lines = [_open(self._secure, context, None) for _ in range(IDLE)]
        grown = memory_bytes(self._pid) - before
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


@contextmanager
def nginx(folder: Path, target: int, core: int | None) -> Iterator[ProxyCosts]:
    """Run nginx in front of the port `target`. May raise BenchmarkError: it is not installed."""
    program = nginx_path()
    if program is None:
        raise BenchmarkError("nginx is not installed: apt-get install nginx-light")
    here = Path(mkdtemp(prefix="nginx-", dir=folder))
    make_certificate(here)
    plain, secure = free_port(), free_port()
    config = here / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""
    config.write_text(
        CONFIG.substitute(folder=here, user=user, target=target, plain=plain, secure=secure)
    )
    log = here / "out.log"
    with running([program, "-p", str(here), "-c", str(config)], log, core=core) as process:
        wait_for_port(process, secure, log)
        yield ProxyCosts(here, process.pid, plain, secure)
