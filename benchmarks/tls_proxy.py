"""nginx with TLS in front of a server.

Its settings are those of config/proxies/nginx.conf that a poll meets, with one process and without
a log.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from tempfile import mkdtemp
from typing import NamedTuple

from benchmarks.certificate import make_certificate
from benchmarks.processes import BenchmarkError, free_port, running, wait_for_port
from benchmarks.servers import nginx_path

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


class TlsProxy(NamedTuple):
    """An nginx: its process, its ports without and with TLS, and the folder of its certificate."""

    pid: int
    plain: int
    secure: int
    folder: Path


@contextmanager
def tls_proxy(folder: Path, target: int, core: int | None) -> Iterator[TlsProxy]:
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
        yield TlsProxy(process.pid, plain, secure, here)
