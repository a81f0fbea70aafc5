"""Keycloak, whose distribution is in Maven Central, on PostgreSQL."""

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.peer import FILES, Endpoints, Peer, Service, Site, call, launched, tool
from benchmarks.peers.postgres import TOOLS, USER, Database, postgres
from benchmarks.processes import free_port
from benchmarks.servers import Competitor

NAME, VERSION = "keycloak", "26.7.3"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:copy"
HEAP = {"JAVA_OPTS_KC_HEAP": "-Xms256m -Xmx1g"}
PROTOCOL = "/realms/peers/protocol/openid-connect"
ENDPOINTS = Endpoints(
    f"{PROTOCOL}/auth/device", f"{PROTOCOL}/token", "client_id=tv", "openid profile offline_access"
)


def _home(programs: Path) -> Path:
    return programs / NAME / f"keycloak-{VERSION}"


def _built(programs: Path) -> Path:
    """Return a file that marks the end of the build."""
    return _home(programs) / "built-for-postgresql"


def _get(programs: Path) -> None:
    folder, home = programs / NAME, _home(programs)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(home, ignore_errors=True)
    options = (f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}")
    call([tool("mvn"), "--quiet", "--batch-mode", COPY, *options], cwd=folder)
    archive = folder / f"keycloak-quarkus-dist-{VERSION}.zip"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    archive.unlink()
    call(["sh", home / "bin/kc.sh", "build", "--db=postgres", "--cache=local"])
    _built(programs).touch()


@contextmanager
def _serve(site: Site) -> Iterator[Service]:
    port, script = free_port(), _home(site.programs) / "bin/kc.sh"
    with postgres(site) as database:
        options = _options(database)
        imported = site.folder / "imported"
        if not imported.exists():
            realm = FILES / "keycloak-realm.json"
            call(["sh", script, "import", "--optimized", f"--file={realm}", *options], None, HEAP)
            imported.touch()
        command: list[str | Path] = [
            "sh",
            script,
            "start",
            "--optimized",
            *("--http-enabled=true", "--http-host=127.0.0.1", f"--http-port={port}"),
            "--hostname-strict=false",
            *options,
        ]
        server = Competitor(NAME, port, (), store_pids=(database.pid,))
        with launched(server, ENDPOINTS, command, site, HEAP) as service:
            yield service._replace(written=database.written)


def _options(database: Database) -> list[str]:
    address = f"jdbc:postgresql://127.0.0.1:{database.port}/{USER}"
    return [
        f"--db-url={address}",
        f"--db-username={USER}",
        f"--db-password={USER}",
        "--log-level=error",
    ]


PEER = Peer(
    name=NAME,
    title="Keycloak (PostgreSQL)",
    version=VERSION,
    licence="Apache-2.0",
    made_for=(
        "A complete identity server for organisations: realms, administration pages, user "
        "federation, brokering, authorization. The device grant is one small part of it."
    ),
    store=(
        "a pending grant is in Infinispan, in the memory of its cluster; PostgreSQL has the "
        "realm, the client and the people"
    ),
    per_poll=(
        "Reads the realm and the client from its cache, and the device code from Infinispan; puts "
        "a marker there that lives as long as the interval, so that an early poll is slow_down on "
        "every node."
    ),
    settings=(
        "`start --optimized`, heap of 256 MiB to 1 GiB, local caches, interval of 1 s, log "
        "level error, because it logs each refused poll"
    ),
    tools=("java", "mvn", "sh", *TOOLS),
    ready=lambda programs: _built(programs).exists(),
    get=_get,
    serve=_serve,
    is_durable=False,
    warm_up_s=10,
)
