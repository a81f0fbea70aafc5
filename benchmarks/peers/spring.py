"""Spring Authorization Server, from Maven Central, in an application of one file, on PostgreSQL."""

import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.peer import FILES, Endpoints, Peer, Service, Site, call, launched, tool
from benchmarks.peers.postgres import TOOLS, USER, postgres
from benchmarks.processes import free_port
from benchmarks.servers import Competitor

NAME, VERSION = "spring", "7.1.2"
BASIC = b64encode(b"tv:secret-of-tv").decode()
ENDPOINTS = Endpoints(
    "/oauth2/device_authorization",
    "/oauth2/token",
    "",
    "profile email",
    (f"Authorization: Basic {BASIC}",),
)


def _archive(programs: Path) -> Path:
    return programs / NAME / "target/spring-peer-1.jar"


def _get(programs: Path) -> None:
    folder = programs / NAME
    shutil.copytree(FILES / "spring", folder, dirs_exist_ok=True)
    call([tool("mvn"), "--quiet", "--batch-mode", "package"], cwd=folder)


@contextmanager
def _serve(site: Site) -> Iterator[Service]:
    port = free_port()
    with postgres(site) as database:
        command: list[str | Path] = [
            *(tool("java"), "-Xms128m", "-Xmx1g", "-jar"),
            _archive(site.programs),
            f"--server.port={port}",
            f"--spring.security.oauth2.authorizationserver.issuer=http://127.0.0.1:{port}",
            f"--spring.datasource.url=jdbc:postgresql://127.0.0.1:{database.port}/{USER}",
            f"--spring.datasource.username={USER}",
        ]
        server = Competitor(NAME, port, (), store_pids=(database.pid,))
        with launched(server, ENDPOINTS, command, site) as service:
            yield service._replace(written=database.written)


PEER = Peer(
    name=NAME,
    title="Spring Authorization Server (PostgreSQL)",
    version=VERSION,
    licence="Apache-2.0",
    made_for=(
        "A framework for Java, with which an application becomes an authorization server and can "
        "change every step. Its store in a database is the one that its documentation shows."
    ),
    store="PostgreSQL, default durability",
    per_poll=(
        "Reads the row of the authorization by its code. It writes nothing: the framework leaves "
        "slow_down to the application."
    ),
    settings=(
        "Spring Boot 4.1.2, heap of 128 MiB to 1 GiB, JdbcOAuth2AuthorizationService with an "
        "index for each code; a confidential client in memory, because a public one cannot use "
        "the device grant; its password is not hashed"
    ),
    tools=("java", "mvn", *TOOLS),
    ready=lambda programs: _archive(programs).exists(),
    get=_get,
    serve=_serve,
    warm_up_s=10,
)
