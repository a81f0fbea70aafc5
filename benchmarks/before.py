"""`before`: polls and starts of this checkout and of an earlier one, in turns: what a change costs.

Each has its own store, because the earlier checkout may not be able to read the records of this.
"""

from contextlib import ExitStack
from pathlib import Path

from benchmarks.load import Shot
from benchmarks.polling import MODES, PENDING, Mode, Polling
from benchmarks.polls import authorization_request
from benchmarks.processes import BenchmarkError
from benchmarks.results import Result, Section, Series, make_section
from benchmarks.rounds import Entry, take_turns
from benchmarks.run import Run
from benchmarks.servers import NO_LIMITS, Competitor, deviceflow
from benchmarks.stores import Store, store

NOW, BEFORE = "now", "before"


class Side:
    """One of the two checkouts: its store, its device codes, and its servers."""

    def __init__(self, run: Run, stack: ExitStack, name: str, source: Path | None) -> None:
        folder = run.folder / name
        folder.mkdir()
        self.name = name
        self._source = source
        self._store: Store = stack.enter_context(store(folder, run.cores.generator))
        self.polling = Polling(run, self._store, folder)

    def serve(self, stack: ExitStack, mode: Mode) -> Competitor:
        """Start a server without limits on starts. It runs until `stack` is closed."""
        _, place = self.polling.places(mode)
        # A checkout from before there were limits would refuse the settings.
        knows = self._source is not None and (self._source / "deviceflow/store/starts.py").is_file()
        server = deviceflow(
            place,
            self._store.url,
            name=self.name,
            source=self._source,
            more=NO_LIMITS if knows else "",
        )
        return stack.enter_context(server)


def run(run: Run, source: Path, pending: int = PENDING) -> Result:
    """Compare polls, with `pending` grants, and starts. `source`: the other checkout's folder."""
    if not (source / "deviceflow/__main__.py").is_file():
        raise BenchmarkError(f"{source} is no checkout of deviceflow")
    with ExitStack() as stack:
        sides = [Side(run, stack, NOW, None), Side(run, stack, BEFORE, source.resolve())]
        modes = [mode for mode in MODES if mode.workers]
        sections = [each for mode in modes for each in _compare(run, sides, mode, pending)]
        sections += _compare_starts(run, sides, modes[0])
    figures = {
        f"{section.key}: {NOW} / {BEFORE}": section.ratios[0].spread.median for section in sections
    }
    return run.finish("before", sections, figures, {"pending": pending})


def _compare(run: Run, sides: list[Side], mode: Mode, pending: int) -> list[Section]:
    with ExitStack() as stack:
        entries = [
            side.polling.entry(
                side.name, side.serve(stack, mode), side.polling.codes_of(pending), mode
            )
            for side in sides
        ]
        load, _ = sides[0].polling.places(mode)
        series = take_turns(mode.title, entries, run.turns, load, run.screen)
    return _sections(mode.key, f"Polls: {mode.title}", "polls/s", series)


def _compare_starts(run: Run, sides: list[Side], mode: Mode) -> list[Section]:
    title = "Starts: connections kept, 1 worker"
    with ExitStack() as stack:
        entries = [_starts(side.serve(stack, mode)) for side in sides]
        load, _ = sides[0].polling.places(mode)
        series = take_turns(title, entries, run.turns, load, run.screen)
    return _sections("starts", title, "starts/s", series)


def _sections(key: str, title: str, unit: str, series: list[Series]) -> list[Section]:
    """Compare the answers per second, and the CPU time of the server for each."""
    cpu = [Series(one.competitor, one.server_us) for one in series]
    return [
        make_section(key, title, unit, series, [(NOW, BEFORE)]),
        make_section(f"{key} cpu", f"{title}: CPU", "us", cpu, [(NOW, BEFORE)]),
    ]


def _starts(server: Competitor) -> Entry:
    request = authorization_request(server.port)
    return Entry(server.name, server, lambda _: Shot(request))
