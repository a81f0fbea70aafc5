"""`polling`: the polls of pending grants that a server answers per second.

Four competitors send the same bytes to a device: deviceflow with its lane, deviceflow without it,
a plain aiohttp handler that reads the form and answers with a constant, and nginx with a
constant. Only the first two check the device code, look for a decision and judge the pace.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import plots
from benchmarks.load import CONNECTIONS, Load, Shot
from benchmarks.polls import poll_start, seal, write_codes
from benchmarks.results import Result, Section, Series, make_section
from benchmarks.rounds import Entry, take_turns
from benchmarks.run import Run
from benchmarks.servers import (
    LANE,
    LANE_OFF,
    Competitor,
    Place,
    check_same_answer,
    deviceflow,
    nginx,
    nginx_path,
    plain,
)
from benchmarks.stores import Store, commands_for_polls, store
from deviceflow.fleet.machine import core_count

PENDING = 100_000
FEW, MANY = 1_000, 1_000_000
SAMPLE_S = 1.0
OURS = {LANE, LANE_OFF}


class Mode(NamedTuple):
    """The connections of the devices, and the number of server processes (0: one per core)."""

    key: str
    title: str
    close: bool
    workers: int


MODES = (
    Mode("keepalive_1", "connections kept, 1 worker", close=False, workers=1),
    Mode("close_1", "a connection per poll, 1 worker", close=True, workers=1),
    Mode("keepalive_n", "connections kept, a worker per core", close=False, workers=0),
    Mode("close_n", "a connection per poll, a worker per core", close=True, workers=0),
)
SCALE = "scale"


class Codes(NamedTuple):
    """A file of device codes in random order, and a `sample` of them for a check."""

    path: Path
    size: int
    sample: str

    def shots(self, before: bytes, rounds: int) -> Callable[[int], Shot]:
        """Return the shots by round. Each round begins in another part of the file."""
        return lambda number: Shot(before, self.path, number * (self.size // rounds))


class Polling:
    """The benchmark: a store, and servers that are started for each mode."""

    def __init__(self, run: Run, opened: Store, folder: Path | None = None) -> None:
        self._run = run
        self._store = opened
        self._folder = folder or run.folder
        self._codes: dict[int, Codes] = {}
        self.commands = 0
        self.polls = 0

    def compare(self, mode: Mode, pending: int) -> Section:
        """Compare all competitors, with `pending` grants."""
        codes = self.codes_of(pending)
        load, place = self.places(mode)
        with self._competitors(place) as servers:
            code = codes.sample.encode()
            check_same_answer(servers, poll_start(0).partition(b"\r\n\r\n")[2] + code)
            entries = [self.entry(name, server, codes, mode) for name, server in servers.items()]
            series = self._take(mode.title, entries, load)
            pairs = [(LANE, name) for name in servers if name != LANE]
            notes = [self._mix(servers[LANE], codes, mode, load)]
        return make_section(mode.key, f"Polls: {mode.title}", "polls/s", series, pairs, notes)

    def scale(self, few: int, many: int) -> Section:
        """Compare the lane with few and with many pending grants."""
        mode = MODES[0]
        load, place = self.places(mode)
        with deviceflow(place, self._store.url) as server:
            entries = [
                self.entry(f"{count:,} pending", server, self.codes_of(count), mode)
                for count in (many, few)
            ]
            series = self._take("many pending grants", entries, load)
            notes = [self._mix(server, self.codes_of(count), mode, load) for count in (many, few)]
        title = "Polls: as many grants pending, connections kept, 1 worker"
        pairs = [(entries[0].name, entries[1].name)]
        return make_section(SCALE, title, "polls/s", series, pairs, notes)

    def places(self, mode: Mode) -> tuple[Load, Place]:
        """Return where the load and the servers run."""
        folder, cores = self._run.folder, self._run.cores
        if mode.workers:
            return Load(folder, cores.generator), Place(folder, cores.server, mode.workers)
        # With a worker per core, the load and the servers share all cores.
        count = core_count()
        return Load(folder, None, threads=count), Place(folder, None, count)

    @contextmanager
    def _competitors(self, place: Place) -> Iterator[dict[str, Competitor]]:
        with ExitStack() as stack:
            url = self._store.url
            servers = [
                stack.enter_context(deviceflow(place, url)),
                stack.enter_context(deviceflow(place, url, name=LANE_OFF, lane=False)),
                stack.enter_context(plain(place)),
            ]
            if nginx_path():
                servers.append(stack.enter_context(nginx(place)))
            yield {server.name: server for server in servers}

    def entry(self, name: str, server: Competitor, codes: Codes, mode: Mode) -> Entry:
        """Make the entry of a competitor that is polled with `codes`."""
        before = poll_start(server.port, close=mode.close)
        return Entry(name, server, codes.shots(before, self._run.turns.rounds))

    def _take(self, title: str, entries: list[Entry], load: Load) -> list[Series]:
        run = self._run
        before = self._store.commands()
        series = take_turns(title, entries, run.turns, load, run.screen)
        self.commands += sum(commands_for_polls(before, self._store.commands()).values())
        ours = {entry.name for entry in entries if entry.server.name in OURS}
        self.polls += sum(sum(row.requests) for row in series if row.competitor in ours)
        return series

    def _mix(self, server: Competitor, codes: Codes, mode: Mode, load: Load) -> str:
        """Describe the mix of answers. A pending answer costs the same as a slow_down."""
        # Begin with codes that were not polled just now.
        before = poll_start(server.port, close=mode.close)
        rounds = self._run.turns.rounds
        shot = codes.shots(before, rounds)(rounds // 2)
        fired = load.fire(server.port, shot, SAMPLE_S, sample=True)
        total = max(1, fired.requests)
        return (
            f"answers with {codes.size:,} pending, sampled apart: "
            f"{fired.pending / total:.1%} authorization_pending, "
            f"{fired.slow_down / total:.1%} slow_down, {fired.other / total:.1%} others"
        )

    def codes_of(self, count: int) -> Codes:
        """Return `count` codes of this installation, in a file."""
        if count not in self._codes:
            installation = self._store.installation()
            with self._run.screen.steps(f"sealing {count:,} device codes", count) as steps:
                sealed = seal(installation.codes, count, done=steps.done)
            path = write_codes(sealed, self._folder / f"codes-{count}")
            self._codes[count] = Codes(path, count, sealed[0])
        return self._codes[count]


def run(run: Run, pending: int = PENDING, few: int = FEW, many: int = MANY) -> Result:
    """Measure all modes with `pending` grants, then the lane with `few` and `many`."""
    with store(run.folder, run.cores.generator) as opened:
        polling = Polling(run, opened)
        sections = [polling.compare(mode, pending) for mode in MODES]
        sections.append(polling.scale(few, many))
    figures = {
        f"{section.key}: {ratio.competitor} / {ratio.other}": ratio.spread.median
        for section in sections
        for ratio in section.ratios
        if section.key != SCALE
    }
    figures[f"scale: {many:,} / {few:,}"] = sections[-1].ratios[0].spread.median
    figures["redis commands per poll"] = polling.commands / max(1, polling.polls)
    parameters = {"pending": pending, "few": few, "many": many, "connections": CONNECTIONS}
    result = run.finish("polling", sections, figures, dict(parameters))
    plots.polling(result, run.results)
    return result
