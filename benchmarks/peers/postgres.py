"""A PostgreSQL for one peer: a data folder of its own, on loopback, with its default durability."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers.peer import Site, call, tool
from benchmarks.processes import BenchmarkError, free_port, running, wait_for_port

USER = "peer"
CONNECTIONS = 200
TOOLS = ("initdb", "postgres", "psql")
ACCOUNT = "postgres"
"""The account of the system that root starts PostgreSQL with, since it refuses to run as root."""


class Database(NamedTuple):
    """A running PostgreSQL with one empty database, which has the name of its user."""

    port: int
    pid: int

    def written(self) -> int:
        """Return how many bytes of write-ahead log there are until now."""
        return int(query(self, "SELECT pg_current_wal_insert_lsn() - '0/0'"))

    @property
    def url(self) -> str:
        """The address, as libpq and most drivers read it."""
        return f"postgresql://{USER}:{USER}@127.0.0.1:{self.port}/{USER}?sslmode=disable"


@contextmanager
def postgres(site: Site) -> Iterator[Database]:
    """Run PostgreSQL on the data in the site's folder, which is made the first time."""
    data, port, log = site.folder / "postgres", free_port(), site.folder / "postgres.log"
    is_new = not data.exists()
    if is_new:
        _initialise(data)
    command = [
        *_as_account(),
        tool("postgres"),
        *("-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1"),
        *("-c", "unix_socket_directories=", "-c", f"max_connections={CONNECTIONS}"),
    ]
    with running(command, log, core=site.core, cwd=data) as process:
        wait_for_port(process, port, log)
        database = Database(port, process.pid)
        _wait_until_ready(database)
        if is_new:
            query(database, f"CREATE DATABASE {USER}", "postgres")
        yield database


def query(database: Database, statement: str, name: str = USER) -> str:
    """Run a statement, and return what psql prints."""
    address = database.url.replace(f"/{USER}?", f"/{name}?")
    return call([tool("psql"), "-X", "-A", "-t", "-q", "-c", statement, address])


def _initialise(data: Path) -> None:
    data.mkdir()
    if _as_account():
        shutil.chown(data, ACCOUNT, ACCOUNT)
        # The account must be able to enter the folders above, which only root can.
        for folder in (data.parent, data.parent.parent):
            folder.chmod(0o711)
    options = ("-A", "trust", "-U", USER, "-E", "UTF8", "--no-locale")
    call([*_as_account(), tool("initdb"), "-D", data, *options], cwd=data)


def _as_account() -> list[str]:
    if os.getuid() != 0:
        return []
    return [tool("setpriv"), f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups"]


def _wait_until_ready(database: Database) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            query(database, "SELECT 1", "postgres")
        except BenchmarkError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
