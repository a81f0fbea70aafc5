"""Ory Hydra, on PostgreSQL. No registry has this version: the program has to be there."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from string import Template

from benchmarks.peers.peer import (
    FIRST_ANSWER_TIMEOUT_S,
    LOOK_EVERY_S,
    Endpoints,
    Peer,
    Service,
    Site,
    call,
    launched,
    tool,
)
from benchmarks.peers.postgres import TOOLS, postgres
from benchmarks.processes import BenchmarkError, free_port
from benchmarks.servers import Competitor
from deviceflow.core.messages import DEVICE_CODE_GRANT

NAME, VERSION = "hydra", "26.2.0"
SCOPE = "openid profile offline_access"
ENDPOINTS = Endpoints("/oauth2/device/auth", "/oauth2/token", "client_id=tv", SCOPE)
CLIENT = {
    "client_id": "tv",
    "token_endpoint_auth_method": "none",
    "grant_types": [DEVICE_CODE_GRANT, "refresh_token"],
    "response_types": [],
    "scope": SCOPE,
}
CONFIG = Template("""\
dsn: $dsn
log:
  level: fatal
serve:
  public:
    host: 127.0.0.1
    port: $port
  admin:
    host: 127.0.0.1
    port: $admin_port
urls:
  self:
    issuer: http://127.0.0.1:$port
  login: http://127.0.0.1/login
  consent: http://127.0.0.1/consent
  device:
    verification: http://127.0.0.1/device
secrets:
  system: [only-for-benchmarks-on-loopback]
ttl:
  device_user_code: 1h
""")


@contextmanager
def _serve(site: Site) -> Iterator[Service]:
    port, admin_port = free_port(), free_port()
    with postgres(site) as database:
        config = site.folder / "hydra.yaml"
        text = CONFIG.substitute(dsn=database.url, port=port, admin_port=admin_port)
        config.write_text(text)
        is_new = not (site.folder / "migrated").exists()
        if is_new:
            call([tool("hydra"), "migrate", "sql", "up", "--yes", "--config", config])
        command: list[str | Path] = [
            *(tool("hydra"), "serve", "all", "--dev", "--sqa-opt-out", "--config"),
            config,
        ]
        server = Competitor(NAME, port, (), admin_port, (database.pid,))
        with launched(server, ENDPOINTS, command, site) as service:
            if is_new:
                _register(service)
                (site.folder / "migrated").touch()
            yield service._replace(written=database.written)


def _register(service: Service) -> None:
    """Register the client, as soon as the admin API answers."""
    status, answer = 0, b""
    while time.monotonic() < service.started + FIRST_ANSWER_TIMEOUT_S:
        connection = http.client.HTTPConnection("127.0.0.1", service.server.admin_port, timeout=10)
        with suppress(OSError, http.client.HTTPException):
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/admin/clients", json.dumps(CLIENT), headers)
            response = connection.getresponse()
            status, answer = response.status, response.read()
        connection.close()
        if status == 201:
            return
        time.sleep(LOOK_EVERY_S)
    raise BenchmarkError(f"hydra registers no client: {status} {answer[:200]!r}")


def _nothing(_: Path) -> None:
    """Get nothing: `tools` has said that the program must be there."""


PEER = Peer(
    name=NAME,
    title="Ory Hydra (PostgreSQL)",
    version=VERSION,
    licence="Apache-2.0",
    made_for=(
        "An OAuth server without pages and people, for services that have their own. Every "
        "request is checked against its database, so that any number of processes can answer it."
    ),
    store="PostgreSQL, default durability",
    per_poll="Reads the client and the device code's session. It does not judge the pace.",
    settings=(
        "`serve all --dev` (plain HTTP), log level fatal, because it logs each refused poll as "
        "an error"
    ),
    tools=("hydra", *TOOLS),
    ready=lambda _: True,
    get=_nothing,
    serve=_serve,
)
