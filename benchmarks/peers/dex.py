"""Dex, on PostgreSQL and on SQLite. No registry has it: the program has to be there."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from string import Template

from benchmarks.peers.peer import Endpoints, Peer, Service, Site, launched, tool
from benchmarks.peers.postgres import TOOLS, USER, postgres
from benchmarks.processes import free_port
from benchmarks.servers import Competitor

VERSION = "2.45.1"
ENDPOINTS = Endpoints("/dex/device/code", "/dex/token", "client_id=tv", "openid profile")
CONFIG = Template("""\
issuer: http://127.0.0.1:$port/dex
storage:
$storage
web:
  http: 127.0.0.1:$port
logger:
  level: error
expiry:
  deviceRequests: 1h
staticClients:
  - id: tv
    name: Living-room TV
    public: true
enablePasswordDB: true
""")
POSTGRESQL = Template("""\
  type: postgres
  config:
    host: 127.0.0.1
    port: $port
    database: $user
    user: $user
    password: $user
    ssl:
      mode: disable
""")
SQLITE = Template("""\
  type: sqlite3
  config:
    file: $file
""")


@contextmanager
def _serve(site: Site, name: str, *, on_postgres: bool) -> Iterator[Service]:
    port = free_port()
    with ExitStack() as stack:
        pids: tuple[int, ...] = ()
        written: Callable[[], int] | None = None
        storage = SQLITE.substitute(file=site.folder / "dex.db")
        if on_postgres:
            database = stack.enter_context(postgres(site))
            pids, written = (database.pid,), database.written
            storage = POSTGRESQL.substitute(port=database.port, user=USER)
        config = site.folder / "dex.yaml"
        config.write_text(CONFIG.substitute(port=port, storage=storage))
        server = Competitor(name, port, (), store_pids=pids)
        command: list[str | Path] = [tool("dex"), "serve", config]
        service = stack.enter_context(launched(server, ENDPOINTS, command, site))
        yield service._replace(written=written)


def _nothing(_: Path) -> None:
    """Get nothing: `tools` has said that the program must be there."""


def _peer(name: str, title: str, store: str, *, on_postgres: bool) -> Peer:
    return Peer(
        name=name,
        title=title,
        version=VERSION,
        licence="Apache-2.0",
        made_for=(
            "A small identity broker, common in Kubernetes clusters: it takes people of other "
            "providers in by one protocol. Its storage can be etcd or Kubernetes itself."
        ),
        store=store,
        per_poll=(
            "Reads the device's token record and writes it, each in a transaction of its own: the "
            "time of the last poll and the interval are kept there, so that slow_down holds for "
            "all its processes."
        ),
        settings="its defaults but for the log level; the client in the configuration",
        tools=("dex", *(TOOLS if on_postgres else ())),
        ready=lambda _: True,
        get=_nothing,
        serve=partial(_serve, name=name, on_postgres=on_postgres),
    )


POSTGRES_PEER = _peer(
    "dex-postgresql", "Dex (PostgreSQL)", "PostgreSQL, default durability", on_postgres=True
)
SQLITE_PEER = _peer("dex-sqlite", "Dex (SQLite)", "SQLite in its own process", on_postgres=False)
