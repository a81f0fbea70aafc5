"""A peer: what it is, what it needs, how to get it, and how to start it."""

import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from benchmarks.polls import CLOSE, form_request
from benchmarks.processes import LOG_LINES, BenchmarkError, running
from benchmarks.servers import Competitor
from deviceflow.core.messages import DEVICE_CODE_GRANT

FILES = Path(__file__).parent / "files"
FIRST_ANSWER_TIMEOUT_S = 300.0
GET_TIMEOUT_S = 540.0
LOOK_EVERY_S = 0.01
FORM = "application/x-www-form-urlencoded"


class Site(NamedTuple):
    """Where a peer runs. `folder`: of its data; `programs`: what was got; `core`: None for all."""

    folder: Path
    programs: Path
    core: int | None


class Endpoints(NamedTuple):
    """What a device sends where. `client`: form parameters, escaped; `headers`: more lines."""

    authorization: str
    token: str
    client: str
    scope: str
    headers: tuple[str, ...] = ()

    def start(self, port: int) -> bytes:
        """Make a device authorization request."""
        return form_request(port, self.authorization, self.start_form(), 0, self.headers)

    def poll(self, port: int, length: int, *, close: bool = False) -> bytes:
        """Make a poll without its device code of `length` bytes, which comes last."""
        extra = (*self.headers, *((CLOSE,) if close else ()))
        return form_request(port, self.token, self.poll_form(), length, extra)

    def start_form(self) -> str:
        """Return the form of a device authorization request."""
        return "&".join(filter(None, (self.client, f"scope={quote(self.scope)}")))

    def poll_form(self) -> str:
        """Return the form of a poll, up to the device code."""
        grant_type = f"grant_type={quote(DEVICE_CODE_GRANT, safe='')}"
        return "&".join(filter(None, (grant_type, self.client, "device_code=")))


class Service(NamedTuple):
    """A peer that runs, or is about to.

    `log`: its file, for a message when it does not start. `started`: by time.monotonic.
    `written`: reads how many bytes its store has written to its log until now.
    """

    server: Competitor
    endpoints: Endpoints
    log: Path
    started: float
    written: Callable[[], int] | None = None


@dataclass(frozen=True)
class Peer:
    """A server of another maker. `version` and `licence` are also in docs/peers.md.

    `store`: what holds a pending grant; `per_poll`: what a poll of a pending grant reads and
    writes there. `is_durable`: a pending grant outlives a restart of the server. `tools`: programs
    that `get` or `serve` need. `ready(programs)` says whether `get` has run. `serve(site)` makes
    what it needs in the site's folder the first time, and starts the server. `warm_up_s`: of
    polls before the first round.
    """

    name: str
    title: str
    version: str
    licence: str
    made_for: str
    store: str
    per_poll: str
    settings: str
    tools: tuple[str, ...]
    ready: Callable[[Path], bool]
    get: Callable[[Path], None]
    serve: Callable[[Site], AbstractContextManager[Service]]
    is_durable: bool = True
    warm_up_s: float = 2.0

    def missing(self) -> str | None:
        """Return what this machine lacks for this peer, for people, or None."""
        lacking = [tool for tool in self.tools if find_tool(tool) is None]
        return f"this machine lacks {', '.join(lacking)}" if lacking else None


def find_tool(name: str) -> str | None:
    """Return the path of a program, or None.

    `PEER_<NAME>` in the environment says which program it is, for those that no registry has.
    """
    chosen = os.environ.get(f"PEER_{name.upper()}")
    if chosen:
        return chosen if os.access(chosen, os.X_OK) else None
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, places)])
    return shutil.which(name, path=path)


def tool(name: str) -> str:
    """Return the path of a program. May raise BenchmarkError: if it is not there."""
    path = find_tool(name)
    if path is None:
        raise BenchmarkError(f"this machine lacks {name}")
    return path


def call(
    command: Sequence[str | Path],
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
) -> str:
    """Run a command to its end, and return its output. May raise BenchmarkError."""
    words = [str(word) for word in command]
    try:
        process = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=GET_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"`{words[0]}` took more than {GET_TIMEOUT_S:.0f} s") from error
    if process.returncode:
        tail = "\n".join((process.stdout + process.stderr).splitlines()[-LOG_LINES:])
        raise BenchmarkError(f"`{' '.join(words[:4])} ...` failed:\n{tail}")
    return process.stdout


def make_venv(folder: Path, packages: Sequence[str]) -> None:
    """Make a virtual environment of this Python with `packages`, all with their versions."""
    call([sys.executable, "-m", "venv", folder])
    call([folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *packages])


@contextmanager
def launched(
    server: Competitor,
    endpoints: Endpoints,
    command: Sequence[str | Path],
    site: Site,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Service]:
    """Run `command` on the site's core as long as the block lasts, and complete `server`.

    `environment`: variables, beside those of this process. It runs in the site's folder.
    """
    log = site.folder / f"{server.name}.log"
    words, variables = [str(word) for word in command], {**os.environ, **(environment or {})}
    started = time.monotonic()
    with running(words, log, core=site.core, cwd=site.folder, environment=variables) as process:
        yield Service(server._replace(pids=(process.pid,)), endpoints, log, started)


def wait_for_answer(service: Service) -> float:
    """Wait until the peer starts a grant, and return the seconds since its process was started.

    May raise BenchmarkError: after FIRST_ANSWER_TIMEOUT_S.
    """
    path, form = service.endpoints.authorization, service.endpoints.start_form()
    status, answer = 0, b""
    while time.monotonic() < service.started + FIRST_ANSWER_TIMEOUT_S:
        with suppress(OSError, http.client.HTTPException):
            status, answer = send(service, path, form)
            if status == 200:
                return time.monotonic() - service.started
        time.sleep(LOOK_EVERY_S)
    lines = service.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    tail = "\n".join([f"the last answer was {status} {answer[:200]!r}", *lines])
    raise BenchmarkError(f"{service.server.name} does not start grants:\n{tail}")


def send(service: Service, path: str, form: str) -> tuple[int, bytes]:
    """Send one form on a connection of its own, and return the status and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", service.server.port, timeout=10)
    try:
        pairs = (line.split(": ", 1) for line in service.endpoints.headers)
        headers = {"Content-Type": FORM, "Accept": "application/json"} | dict(pairs)
        connection.request("POST", path, body=form.encode(), headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
