"""The servers of the benchmark `holding`: each with its own hold, and perhaps behind nginx."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.certificate import client_context
from benchmarks.ordinary import INTERVAL_S, Front
from benchmarks.polls import seal
from benchmarks.processes import free_port, running, wait_for_port
from benchmarks.run import Run
from benchmarks.servers import Competitor, Place, deviceflow, nginx_path
from benchmarks.stores import Store, store
from tests.stage.proxies import PROXIES, Places, make_certificate

HOLDS_S = (0, 5, 10, 20)


class Way(NamedTuple):
    """How devices reach the server."""

    name: str
    keeps: bool
    tls: bool


KEPT = Way("kept", keeps=True, tls=False)
WAYS = (
    KEPT,
    Way("reconnecting", keeps=False, tls=False),
    Way("kept, nginx with TLS", keeps=True, tls=True),
    Way("reconnecting, nginx with TLS", keeps=False, tls=True),
)


class Site(NamedTuple):
    """A server with its own hold, its store, and where devices connect to.

    `codes`: device codes of pending grants that are only sealed. `proxies`: processes of nginx.
    """

    hold_s: int
    server: Competitor
    store: Store
    codes: list[str]
    front: Front
    proxies: tuple[int, ...]


@contextmanager
def sites_of(run: Run, way: Way, devices: int) -> Iterator[list[Site]]:
    """Run a server for each hold as long as the block lasts."""
    with ExitStack() as stack:
        yield [stack.enter_context(site_of(run, way, hold_s, devices)) for hold_s in HOLDS_S]


@contextmanager
def site_of(
    run: Run, way: Way, hold_s: int, devices: int, interval: int = INTERVAL_S
) -> Iterator[Site]:
    """Run one server with its store, and perhaps nginx, as long as the block lasts.

    `interval`: of its `devices` pending grants, in s.
    """
    folder = Path(tempfile.mkdtemp(dir=run.folder))
    variables = {
        "DEVICEFLOW_DEVICE_HOLD_S": str(hold_s),
        "DEVICEFLOW_SERVER_TRUSTED_PROXIES": "127.0.0.1/32",
    }
    with ExitStack() as stack:
        opened = stack.enter_context(store(folder, run.cores.generator))
        place = Place(folder, run.cores.server)
        server = stack.enter_context(deviceflow(place, opened.url, variables=variables))
        codes = seal(opened.installation().codes, devices, interval=interval)
        front = Front(server.port, None, way.keeps)
        proxies: tuple[int, ...] = ()
        if way.tls:
            pid, port = stack.enter_context(_nginx(folder, server.port))
            front, proxies = Front(port, client_context(), way.keeps), (pid,)
        yield Site(hold_s, server, opened, codes, front, proxies)


@contextmanager
def _nginx(folder: Path, host_port: int) -> Iterator[tuple[int, int]]:
    """Run the nginx that is shipped in front of one host; yield its process and its port."""
    places = Places(folder, free_port(), free_port(), (host_port, free_port()))
    make_certificate(folder)
    (proxy,) = (proxy for proxy in PROXIES if proxy.name == "nginx")
    file = proxy.write(places, affinity=False)
    lines = file.read_text(encoding="utf-8").replace("127.0.0.11:", "127.0.0.1:").splitlines()
    text = "\n".join(line for line in lines if "server 127.0.0.12:" not in line)
    # All devices have one address here.
    file.write_text(text.replace("limit_conn connections", "# limit_conn"), encoding="utf-8")
    settled = f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;"
    command = [nginx_path() or "nginx", "-c", str(file), "-g", settled]
    log = folder / "proxy.log"
    with running(command, log) as process:
        wait_for_port(process, places.port, log)
        yield process.pid, places.port
