"""A peer that is a WSGI application of one file, on PostgreSQL, served by gunicorn."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers.peer import FILES, Endpoints, Service, Site, call, launched, make_venv
from benchmarks.peers.postgres import USER, postgres
from benchmarks.processes import free_port
from benchmarks.servers import Competitor

GUNICORN, PSYCOPG = "gunicorn==27.0.1", "psycopg[binary]==3.3.9"
THREADS = 8


class Application(NamedTuple):
    """An application: `packages` with their versions, and its `script` in files/."""

    name: str
    packages: Sequence[str]
    script: str
    endpoints: Endpoints

    def ready(self, programs: Path) -> bool:
        """Return whether the packages are there."""
        return self._mark(programs).exists()

    def get(self, programs: Path) -> None:
        """Make a virtual environment with the packages."""
        shutil.rmtree(programs / self.name, ignore_errors=True)
        make_venv(self._venv(programs), [*self.packages, GUNICORN, PSYCOPG])
        self._mark(programs).touch()

    @contextmanager
    def serve(self, site: Site) -> Iterator[Service]:
        """Run one process of gunicorn with threads."""
        port, programs = free_port(), self._venv(site.programs) / "bin"
        with postgres(site) as database:
            environment = {
                "DATABASE_URL": database.url,
                "DATABASE_PORT": str(database.port),
                "DATABASE_USER": USER,
            }
            script = site.folder / self.script
            if not script.exists():
                shutil.copy(FILES / self.script, script)
                call([programs / "python", script], site.folder, environment)
            command: list[str | Path] = [
                programs / "gunicorn",
                *("--bind", f"127.0.0.1:{port}", "--threads", str(THREADS)),
                *("--backlog", "4096", "--log-level", "error"),
                f"{script.stem}:application",
            ]
            server = Competitor(self.name, port, (), store_pids=(database.pid,))
            with launched(server, self.endpoints, command, site, environment) as service:
                yield service._replace(written=database.written)

    def _venv(self, programs: Path) -> Path:
        return programs / self.name / "venv"

    def _mark(self, programs: Path) -> Path:
        return programs / self.name / "complete"
