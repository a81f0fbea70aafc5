"""`peers`: servers of other makers, each in turns with deviceflow.

One peer runs at a time, on one core together with its database. deviceflow, on the same core with
a durable store of its own, takes turns with it: ours, the peer, ours, the peer. The load comes
from the other core. So each ratio is of two servers within the same seconds.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.load import CONNECTIONS, Load, Shot
from benchmarks.peers import page, picture, roster
from benchmarks.peers.devices import (
    Codes,
    Polls,
    answer,
    in_short,
    probe,
    start_many,
    words,
    write_codes,
)
from benchmarks.peers.peer import Endpoints, Peer, Service, Site, find_tool, wait_for_answer
from benchmarks.polls import CLIENT_ID, SCOPE, seal
from benchmarks.processes import BenchmarkError, here_on, memory_bytes
from benchmarks.results import Result, Section, Series, make_section
from benchmarks.rounds import Entry, take_turns
from benchmarks.run import Run
from benchmarks.servers import Place, deviceflow
from benchmarks.stores import Store, store

OURS = "deviceflow"
PENDING = 10_000
OUR_PENDING = 100_000
SAMPLE_S = 1.0
PAUSE_S = 1.5
NO_ANSWER = "not measured: no answer in a whole turn; --seconds gives it more time"
MIB = 2**20
KEPT, NEW, STARTS = "kept", "new", "starts"
TITLES = {
    KEPT: ("polls, connections kept", "polls/s"),
    NEW: ("polls, a connection each", "polls/s"),
    STARTS: ("starts, connections kept", "grants/s"),
}
OUR_ENDPOINTS = Endpoints(
    "/oauth2/device_authorization", "/oauth2/token", f"client_id={CLIENT_ID}", SCOPE
)


class Standing(NamedTuple):
    """What is seen of one server outside of the turns. Times in s, memory in bytes.

    `per_start`: bytes that the store writes for a grant, or None if it is not known.
    """

    first_s: float
    empty: int
    full: int
    store_full: int
    per_start: float | None
    codes: Codes


class Peers:
    """The benchmark: deviceflow on all the time, and one peer after the other."""

    def __init__(self, run: Run, ours: Polls, programs: Path, pending: int) -> None:
        self._run = run
        self._pending = pending
        self._ours = ours
        self._programs = programs
        self._load = Load(run.folder, run.cores.generator)
        self.sections: list[Section] = []
        self.figures: dict[str, float] = {}
        self.seen: dict[str, str] = {}
        self.notes: list[str] = []

    def measure(self, peer: Peer) -> None:
        """Measure one peer. May raise BenchmarkError."""
        folder = Path(tempfile.mkdtemp(prefix=f"{peer.name}-", dir=self._run.folder))
        site = Site(folder, self._programs, self._run.cores.server)
        with self._start(peer, site) as (service, first_s):
            standing = stand(self._run, service, first_s, folder, self._pending)
            self._note(peer.name, standing)
            self.seen[f"{peer.name}: one grant polled at once"] = in_short(
                probe(service, standing.codes.sample)
            )
            self._turns(peer, service, standing.codes)
        with self._start(peer, site) as (service, first_s):
            self.figures[f"{peer.name}: first answer with pending grants, s"] = first_s
            self.seen[f"{peer.name}: a grant after a restart"] = answer(
                service, standing.codes.sample
            )

    def forget(self, peer: Peer) -> None:
        """Drop what was measured of a peer until it was given up."""
        own = f"{peer.name} "
        self.sections = [one for one in self.sections if not one.key.startswith(own)]

    def note_ours(self, standing: Standing, again_s: float) -> None:
        """Keep what was seen of deviceflow. `again_s`: to its first answer after a restart."""
        self._note(OURS, standing)
        self.figures[f"{OURS}: first answer with pending grants, s"] = again_s
        self.seen[f"{OURS}: a grant after a restart"] = answer(
            self._ours.service, standing.codes.sample
        )
        # Its interval is 1 s, and a poll that is too early says nothing of the next four.
        time.sleep(PAUSE_S)
        self.seen[f"{OURS}: one grant polled at once"] = in_short(
            probe(self._ours.service, standing.codes.sample)
        )
        self._sample(OURS, self._ours)

    @contextmanager
    def _start(self, peer: Peer, site: Site) -> Iterator[tuple[Service, float]]:
        self._run.screen.console.print(f"{peer.title}: starting ...", highlight=False)
        # Its own database is there before the clock starts, and the clock stops at a grant.
        with peer.serve(site) as service:
            yield service, wait_for_answer(service)

    def _note(self, name: str, standing: Standing) -> None:
        self.figures |= {
            f"{name}: first answer, s": standing.first_s,
            f"{name}: memory, MiB": standing.empty / MIB,
            f"{name}: pending grants": standing.codes.total,
            f"{name}: memory with pending grants, MiB": standing.full / MIB,
            f"{name}: memory of its store with pending grants, MiB": standing.store_full / MIB,
        }
        if standing.per_start is not None:
            self.figures[f"{name}: bytes its store writes per start"] = standing.per_start

    def _turns(self, peer: Peer, service: Service, codes: Codes) -> None:
        polls, seconds = Polls(service, codes), self._run.turns.seconds
        self._load.fire(service.server.port, polls.shots(0, close=False)(0), peer.warm_up_s)
        self._sample(peer.name, polls)
        sides = ((OURS, self._ours), (peer.name, polls))
        for key, close in ((KEPT, False), (NEW, True)):
            self._take(
                peer,
                key,
                [
                    Entry(name, side.service.server, side.shots(seconds, close=close))
                    for name, side in sides
                ],
            )
        self._take(peer, STARTS, [_starts(name, side.service) for name, side in sides])

    def _sample(self, name: str, polls: Polls) -> None:
        """See how polls are answered, and what the store writes for them."""
        written = polls.service.written
        before = written() if written else 0
        fired = polls.sample(self._load, SAMPLE_S)
        self.seen[f"{name}: polls"] = words(fired)
        if written and fired.requests:
            per_poll = (written() - before) / fired.requests
            self.figures[f"{name}: bytes its store writes per poll"] = per_poll

    def _take(self, peer: Peer, key: str, entries: Sequence[Entry]) -> None:
        title, unit = TITLES[key]
        run = self._run
        series = take_turns(f"{peer.title}: {title}", entries, run.turns, self._load, run.screen)
        if not all(all(one.values) for one in series):
            self.notes.append(f"{peer.name}: {title}: {NO_ANSWER}")
            return
        self.sections += [
            make_section(
                f"{peer.name} {key}", f"{peer.title}: {title}", unit, series, [(OURS, peer.name)]
            ),
            make_section(
                f"{peer.name} {key} cpu",
                f"{peer.title}: CPU of {title}",
                "us",
                [Series(one.competitor, one.server_us) for one in series],
                [(peer.name, OURS)],
            ),
        ]


def stand(run: Run, service: Service, first_s: float, folder: Path, pending: int) -> Standing:
    """Fill a server with pending grants, and see its memory before and after."""
    pids, store_pids = service.server.pids, service.server.store_pids
    empty = sum(map(memory_bytes, pids))
    title = f"{service.server.name}: {pending:,} grants"
    written = service.written or (lambda: 0)
    before = written()
    with run.screen.steps(title, pending) as steps, here_on(run.cores.generator):
        codes = asyncio.run(start_many(service, pending, steps.done))
    per_start = (written() - before) / len(codes)
    return Standing(
        first_s,
        empty,
        sum(map(memory_bytes, pids)),
        sum(map(memory_bytes, store_pids)),
        per_start if service.written else None,
        write_codes(codes, folder / "codes"),
    )


def _words(run: Run) -> str:
    """Say which core is whose: here, unlike elsewhere, a store is on the core of its server."""
    server, generator = run.cores
    if server is None:
        return run.cores.words
    return f"each server with its store on core {server}, load on core {generator}"


def _starts(name: str, service: Service) -> Entry:
    request = service.endpoints.start(service.server.port)
    return Entry(name, service.server, lambda _: Shot(request))


def run(run: Run, peers: Sequence[Peer], programs: Path, pending: int = PENDING) -> Result:
    """Measure `peers`, those that this machine can run. May raise BenchmarkError: if there is none.

    `programs`: the folder of what was got before; what is missing there is got first. `pending`:
    grants of each server while its memory is read, and while it is polled.
    """
    if find_tool("wrk") is None:
        raise BenchmarkError("this benchmark needs wrk: apt-get install wrk")
    load_before = round(os.getloadavg()[0], 1)
    skipped = roster.get_all(peers, programs, run.screen.console)
    measured, notes = [], [f"{name}: not measured: {reason}" for name, reason in skipped.items()]
    with ExitStack() as stack:
        bench = _open(run, stack, programs, pending)
        for peer in (peer for peer in peers if peer.name not in skipped):
            try:
                bench.measure(peer)
            except BenchmarkError as error:
                run.screen.console.print(f"{peer.title}: given up: {error}", style="bold")
                bench.forget(peer)
                notes.append(f"{peer.name}: given up: {str(error).partition(chr(10))[0]}")
            else:
                measured.append(peer)
    if not measured:
        raise BenchmarkError("no peer was measured:\n" + "\n".join(notes))
    seen = [f"{what}: {text}" for what, text in bench.seen.items()]
    parameters: dict[str, float | int | str] = {
        "pending": pending,
        "our pending": OUR_PENDING,
        "connections": CONNECTIONS,
        "cores": _words(run),
        "load average": load_before,
        **roster.versions(measured),
    }
    figures = bench.figures | page.bests(measured, bench.sections)
    result = run.collect(
        "peers", bench.sections, figures, parameters, [*seen, *bench.notes, *notes]
    )
    page.show_all(run.screen.console, result)
    run.keep(result)
    picture.draw(result, run.results / "peers.svg")
    return result


def _open(run: Run, stack: ExitStack, programs: Path, pending: int) -> Peers:
    """Start deviceflow twice, as each peer: empty, and again with pending grants, to stay."""
    folder = run.folder / OURS
    folder.mkdir()
    opened = stack.enter_context(store(folder, run.cores.server, is_durable=True))
    with _ours(run, opened, folder) as service:
        standing = stand(run, service, wait_for_answer(service), folder, pending)
    service = stack.enter_context(_ours(run, opened, folder))
    again_s = wait_for_answer(service)
    with run.screen.steps(f"sealing {OUR_PENDING:,} device codes", OUR_PENDING) as steps:
        sealed = seal(opened.installation().codes, OUR_PENDING, done=steps.done)
    bench = Peers(run, Polls(service, write_codes(sealed, folder / "sealed")), programs, pending)
    bench.note_ours(standing, again_s)
    return bench


@contextmanager
def _ours(run: Run, opened: Store, folder: Path) -> Iterator[Service]:
    started = time.monotonic()
    with deviceflow(Place(folder, run.cores.server), opened.url, name=OURS) as server:
        whole = server._replace(store_pids=(opened.pid,))
        log = folder / f"{server.port}.log"
        yield Service(whole, OUR_ENDPOINTS, log, started, opened.written)
