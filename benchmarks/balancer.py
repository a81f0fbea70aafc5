"""`hosts --haproxy`: devices that poll too fast, behind a real HAProxy with two real hosts.

HAProxy runs the file that is shipped (config/proxies/haproxy.cfg), with its policy changed to
round robin or to source affinity. Each device has an address and a TLS connection of its own, and
polls at one pace, whatever the answers are. A poll is too fast if it comes before its interval has
passed since the last poll of this device. It slips through if it gets `authorization_pending`.

Without gossip, the process that shares the pace is stopped on both hosts: then each counts alone.
"""

import asyncio
import json
import os
import shutil
import signal
import ssl
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks.devices import allow_files
from benchmarks.polls import CLIENT_ID, LIFETIME_S, SCOPE, authorization_request, poll_start
from benchmarks.processes import BenchmarkError, free_port, running, wait_for_port
from benchmarks.progress import Steps
from benchmarks.results import Result
from benchmarks.run import Run
from benchmarks.tables import show
from deviceflow.supervisor.pace_process import PROCESS_NAME
from tests.stage.hosts import Host
from tests.stage.program import children, name_of
from tests.stage.proxies import PROXIES, Places, make_certificate
from tests.stage.valkey import Valkey

DEVICES = 500
SECONDS = 40
PACE_S = 2.5
INTERVAL_S = 5
# Of the server: a poll may come a tenth of the interval early (core/pace.py).
TOO_EARLY_S = INTERVAL_S * 0.9
ADDRESSES = ("127.0.0.11", "127.0.0.12")
START_S = 10.0
PENDING, SLOW_DOWN, OTHER = "authorization_pending", "slow_down", "other"
LOST = "lost"

CLIENT = f"""
[[clients]]
client_id = "{CLIENT_ID}"
name = "Living-room TV"
scopes = [{", ".join(f'"{scope}"' for scope in SCOPE.split())}]
interval_s = {INTERVAL_S}
lifetime_s = {LIFETIME_S}
"""


class Case(NamedTuple):
    """One way to run the site."""

    title: str
    hosts: int
    gossips: bool
    affinity: bool


CASES = (
    Case("one host", 1, gossips=True, affinity=False),
    Case("two hosts, each counts alone", 2, gossips=False, affinity=False),
    Case("two hosts", 2, gossips=True, affinity=False),
    Case("two hosts, each counts alone, source affinity", 2, gossips=False, affinity=True),
    Case("two hosts, source affinity", 2, gossips=True, affinity=True),
)


class Polls:
    """The counted polls of a case. `too_fast`: by their answer."""

    def __init__(self) -> None:
        self.all: Counter[str] = Counter()
        self.too_fast: Counter[str] = Counter()

    def note(self, kind: str, gap_s: float) -> None:
        """Note the answer to a poll that came `gap_s` after the one before."""
        self.all[kind] += 1
        if gap_s < TOO_EARLY_S:
            self.too_fast[kind] += 1


class FastDevice:
    """A device that does not listen to `slow_down`."""

    def __init__(self, number: int, port: int, tls: ssl.SSLContext, polls: Polls) -> None:
        self._address = f"127.0.{2 + number // 250}.{1 + number % 250}"
        self._port, self._tls, self._polls = port, tls, polls

    async def run(self, delay: float, until: float) -> None:
        """Ask for codes after `delay` s, then poll until `until` (time.monotonic)."""
        await asyncio.sleep(delay)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._tls, local_addr=(self._address, 0)
        )
        try:
            writer.write(authorization_request(self._port))
            grant = json.loads(await _body(reader))
            request = poll_start(self._port) + grant["device_code"].encode()
            last, due = -INTERVAL_S * 2.0, time.monotonic() + PACE_S
            while due < until:
                await asyncio.sleep(due - time.monotonic())
                now = time.monotonic()
                writer.write(request)
                error = json.loads(await _body(reader)).get("error")
                self._polls.note(error if error in {PENDING, SLOW_DOWN} else OTHER, now - last)
                last, due = now, due + PACE_S
        except (OSError, asyncio.IncompleteReadError, KeyError):
            self._polls.all[LOST] += 1
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


def run(run: Run, devices: int = DEVICES, seconds: int = SECONDS) -> Result:
    """Measure every case. May raise BenchmarkError."""
    allow_files(2 * devices)
    rows: list[tuple[str, ...]] = []
    figures: dict[str, float] = {}
    for number, case in enumerate(CASES):
        folder = run.folder / str(number)
        folder.mkdir()
        with run.screen.steps(case.title, seconds) as steps, _site(folder, case) as port:
            polls = Polls()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_load(port, devices, seconds, polls, steps))
        fast = polls.too_fast
        if not fast:
            raise BenchmarkError(f"{case.title}: no poll was answered")
        rows.append(_row(case, polls))
        figures |= {
            f"{case.title}: polls": float(polls.all.total()),
            f"{case.title}: too fast": float(fast.total()),
            f"{case.title}: slipped through": float(fast[PENDING]),
            f"{case.title}: other answers": float(polls.all[OTHER] + polls.all[LOST]),
        }
    title = f"{devices:,} devices, a poll every {PACE_S:g} s, the interval is {INTERVAL_S} s"
    show(run.screen.console, title, HEAD, rows)
    parameters: dict[str, float | int | str] = {"devices": devices, "pace_s": PACE_S}
    result = run.collect("balancer", [], figures, parameters)
    run.keep(result)
    return result


HEAD = ("behind HAProxy", "polls", "too fast", "slipped through", "share", "other answers")


def _row(case: Case, polls: Polls) -> tuple[str, ...]:
    fast = polls.too_fast
    return (
        case.title,
        f"{polls.all.total():,}",
        f"{fast.total():,}",
        f"{fast[PENDING]:,}",
        f"{fast[PENDING] / max(1, fast.total()):.1%}",
        f"{polls.all[OTHER] + polls.all[LOST]:,}",
    )


async def _load(port: int, devices: int, seconds: int, polls: Polls, steps: Steps) -> None:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    until = time.monotonic() + START_S + seconds
    async with asyncio.TaskGroup() as tasks:
        for number in range(devices):
            device = FastDevice(number, port, tls, polls)
            tasks.create_task(device.run(START_S * number / devices, until))
        steps.now("devices start")
        await asyncio.sleep(START_S)
        for _ in range(seconds):
            steps.now(f"{polls.all.total():,} polls")
            await asyncio.sleep(1.0)
            steps.done()


@contextmanager
def _site(folder: Path, case: Case) -> Iterator[int]:
    """Run the store, the hosts and HAProxy as long as the block lasts; yield HAProxy's port."""
    places = Places(folder, free_port(), free_port(), (free_port(), free_port()))
    make_certificate(folder)
    with ExitStack() as stack:
        store = stack.enter_context(Valkey())
        hosts = []
        for address in ADDRESSES[: case.hosts]:
            home = folder / address
            home.mkdir()
            host = Host(home, address, places.host_ports, store.url)
            host.configure(f"https://localhost:{places.port}", CLIENT)
            stack.callback(host.end)
            host.start()
            hosts.append(host)
        if case.hosts > 1:
            for host in hosts:
                host.wait_for("pace.host_joined")
        if not case.gossips:
            _silence(hosts, stack)
        log = folder / "haproxy.log"
        command = [_haproxy(), "-db", "-f", str(_file(places, case))]
        process = stack.enter_context(running(command, log))
        wait_for_port(process, places.port, log)
        yield places.port


def _silence(hosts: Sequence[Host], stack: ExitStack) -> None:
    """Stop the processes that share the pace, until `stack` is closed."""
    for host in hosts:
        for pid in children(host.pid):
            if name_of(pid) == PROCESS_NAME:
                os.kill(pid, signal.SIGSTOP)
                stack.callback(os.kill, pid, signal.SIGCONT)


def _file(places: Places, case: Case) -> Path:
    """Write the file that is shipped, with another policy, and perhaps with one host only."""
    (proxy,) = (proxy for proxy in PROXIES if proxy.name == "haproxy")
    file = proxy.write(places, affinity=case.affinity)
    text = file.read_text(encoding="utf-8")
    if not case.affinity:
        text = text.replace("balance leastconn", "balance roundrobin")
    if case.hosts == 1:
        text = "".join(line for line in text.splitlines(keepends=True) if "server two " not in line)
    file.write_text(text, encoding="utf-8")
    return file


def _haproxy() -> str:
    found = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        raise BenchmarkError("HAProxy is not installed. On Debian: apt-get install haproxy")
    return found
