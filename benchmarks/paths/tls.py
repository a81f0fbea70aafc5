"""TLS in front of the worker, and inside it.

Run as `python -m benchmarks.paths.tls CERTIFICATE serve ...`: `deviceflow serve` whose workers
speak TLS. The program cannot do this, and docs/decisions/0055 says why.
"""

import asyncio
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.processes import free_port, running, wait_for_port
from benchmarks.servers import Competitor, Place, nginx_path

NGINX_TLS = Template("""\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream workers { server 127.0.0.1:$behind; keepalive 64; keepalive_requests 1000000000; }
    server {
        listen 127.0.0.1:$port ssl backlog=4096;
        ssl_certificate $certificate;
        ssl_certificate_key $certificate;
        ssl_session_cache shared:tls:10m;
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {
            proxy_pass http://workers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $$host;
        }
    }
}
""")


@contextmanager
def behind_nginx(place: Place, server: Competitor, certificate: Path) -> Iterator[Competitor]:
    """Run nginx with TLS in front of `server`. Its CPU time is that of both."""
    port = free_port()
    folder = place.folder / f"nginx-{port}"
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(NGINX_TLS.substitute(behind=server.port, port=port, certificate=certificate))
    command = [nginx_path() or "nginx", "-p", str(folder), "-c", str(config)]
    log = place.folder / f"{port}.log"
    with running(command, log, core=place.core) as process:
        wait_for_port(process, port, log)
        yield Competitor("nginx with TLS", port, (process.pid, *server.pids))


class _Asyncio:
    """The module asyncio, but that servers of its running loop speak TLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> object:
        return getattr(asyncio, name)

    def get_running_loop(self) -> "_Loop":
        return _Loop(asyncio.get_running_loop(), self._context)


class _Loop:
    def __init__(self, loop: asyncio.AbstractEventLoop, context: ssl.SSLContext) -> None:
        self._loop, self._context = loop, context

    def __getattr__(self, name: str) -> object:
        return getattr(self._loop, name)

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:  # noqa: ANN401
        return await self._loop.create_server(*args, ssl=self._context, **options)


def main(certificate: str) -> None:
    """Run the command line with workers that speak TLS."""
    from deviceflow import worker  # noqa: PLC0415, only in the process that serves
    from deviceflow.__main__ import main as deviceflow  # noqa: PLC0415

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    worker.asyncio = _Asyncio(context)  # type: ignore[assignment, attr-defined]
    deviceflow()


if __name__ == "__main__":
    sys.argv = ["deviceflow", *sys.argv[2:]] if (pem := sys.argv[1]) else sys.argv
    main(pem)
