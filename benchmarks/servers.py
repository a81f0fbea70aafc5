"""The competitors: deviceflow with and without its lane, plain aiohttp, nginx with a constant."""

import http.client
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import Template
from typing import NamedTuple

from benchmarks.plain import BODY
from benchmarks.polls import CLIENT_ID, LIFETIME_S, SCOPE
from benchmarks.processes import BenchmarkError, free_port, running, wait_for_port

LANE = "lane"
LANE_OFF = "lane off"
PLAIN = "plain aiohttp"
NGINX = "nginx constant"

CONFIG = Template("""\
[server]
port = $port
admin_port = $admin_port
workers = $workers
lane = $lane
[redis]
url = "$redis_url"
[device]
max_wait_s = 600
max_held = 100000
$pace
[log]
level = "$log_level"
[[clients]]
client_id = "$client_id"
name = "Living-room TV"
scopes = [$scopes]
lifetime_s = $lifetime_s
interval_s = 1
[[users]]
username = "demo"
sub = "demo"
password_hash = "$password_hash"
""")

NO_LIMITS = """\
[limits]
starts = 0
starts_per_network = 0
starts_per_address = 0
live_grants = 0
"""

# No person signs in. The account must only exist when a grant is redeemed.
PASSWORD_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


ADMIN_TOKEN = "0123456789abcdef" * 4


class Competitor(NamedTuple):
    """A running server. `pids`: the processes that the benchmark has started for it.

    `store_pids`: those of a store that is its own, whose CPU time counts apart.
    """

    name: str
    port: int
    pids: tuple[int, ...]
    admin_port: int = 0
    store_pids: tuple[int, ...] = ()


class Place(NamedTuple):
    """The folder of a server's files, and its core (None: all cores)."""

    folder: Path
    core: int | None
    workers: int = 1


@contextmanager
def deviceflow(
    place: Place,
    redis_url: str,
    *,
    name: str = LANE,
    lane: bool = True,
    log_level: str = "warning",
    source: Path | None = None,
    variables: Mapping[str, str] | None = None,
    has_api: bool = False,
    limits: str = NO_LIMITS,
    more: str = "",
    program: Sequence[str] = ("deviceflow",),
) -> Iterator[Competitor]:
    """Run `deviceflow serve`. `source`: the folder of another checkout, to run its server.

    `variables`: of its environment, beside those of this process. `has_api`: the API of operators
    is on, with ADMIN_TOKEN. `limits`: on new grants. `more`: settings to append.
    `program`: the module that serves, and its arguments.
    """
    port, admin_port = free_port(), free_port()
    config = place.folder / f"{port}.toml"
    config.write_text(
        CONFIG.substitute(
            port=port,
            admin_port=admin_port,
            workers=place.workers,
            lane=str(lane).lower(),
            redis_url=redis_url,
            log_level=log_level,
            client_id=CLIENT_ID,
            scopes=", ".join(f'"{scope}"' for scope in SCOPE.split()),
            lifetime_s=LIFETIME_S,
            password_hash=PASSWORD_HASH,
            # Another checkout may not know it. A benchmark polls as fast as it can, which is load.
            pace="load_interval_s = 0" if source is None else "",
        )
        # Another checkout may not know limits, and a benchmark is a flood from one address.
        + (limits if source is None else "")
        + (admin_api(place.folder) if has_api else "")
        + more
    )
    command = [sys.executable, "-m", *program, "serve", "--config", str(config)]
    # With -m, Python looks for the package in the working directory first.
    environment = {**os.environ, **variables} if variables else None
    with _server(command, place, port, source, environment) as pid:
        yield Competitor(name, port, (pid,), admin_port)


def admin_api(folder: Path) -> str:
    """Write the token's file, and return the settings that turn the API on."""
    path = folder / "admin-tokens"
    path.write_text(ADMIN_TOKEN)
    path.chmod(0o600)
    return f'[admin]\ntoken_file = "{path}"\n'


@contextmanager
def plain(place: Place, redis_url: str | None = None) -> Iterator[Competitor]:
    """Run plain.py in as many processes as there are workers, on one port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.plain", str(port)]
    with ExitStack() as stack:
        pids = [
            stack.enter_context(
                _server([*command, *((redis_url,) if redis_url else ())], place, port)
            )
            for _ in range(place.workers)
        ]
        yield Competitor(PLAIN, port, tuple(pids))


@contextmanager
def nginx(place: Place) -> Iterator[Competitor]:
    """Run nginx with a constant answer."""
    port = free_port()
    folder = place.folder / f"nginx-{port}"
    folder.mkdir()
    template = Template((Path(__file__).parent / "nginx.conf").read_text())
    config = folder / "nginx.conf"
    config.write_text(
        template.substitute(
            workers=place.workers,
            listen=f"127.0.0.1:{port} backlog=4096" + " reuseport" * (place.workers > 1),
            body=BODY.decode(),
            user="user root;" if os.getuid() == 0 else "",
        )
    )
    command = [nginx_path() or "nginx", "-p", str(folder), "-c", str(config)]
    with _server(command, place, port) as pid:
        yield Competitor(NGINX, port, (pid,))


def nginx_path() -> str | None:
    """Return the path of nginx. Debian has it in /usr/sbin, which is only in root's PATH."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


@contextmanager
def _server(
    command: list[str],
    place: Place,
    port: int,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    log = place.folder / f"{port}.log"
    with running(command, log, core=place.core, cwd=cwd, environment=environment) as process:
        wait_for_port(process, port, log)
        yield process.pid


def check_same_answer(competitors: Mapping[str, Competitor], body: bytes) -> None:
    """Check that all competitors send the same bytes to a device. May raise BenchmarkError."""
    answers = {name: _answer(server.port, body) for name, server in competitors.items()}
    if len(set(answers.values())) > 1:
        raise BenchmarkError(f"the competitors answer differently: {answers}")


def _answer(port: int, body: bytes) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/oauth2/token", body=body, headers=headers)
    response = connection.getresponse()
    answer = (response.status, response.read(), _compared(response.getheaders()))
    connection.close()
    return answer


def _compared(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Leave out Date and Server, and Connection, which nginx sends although it is the default."""
    ignored = {"date", "server", "connection"}
    return tuple(
        sorted((name.lower(), value) for name, value in headers if name.lower() not in ignored)
    )
