"""`before`: the lane of this checkout and of an earlier one, in turns, to see what a change costs.

Each has its own store, because the earlier checkout may not be able to read the records of this.
"""

from contextlib import ExitStack
from pathlib import Path

from benchmarks.polling import MODES, PENDING, Mode, Polling
from benchmarks.processes import BenchmarkError
from benchmarks.results import Result, Section, make_section
from benchmarks.rounds import take_turns
from benchmarks.run import Run
from benchmarks.servers import Competitor, deviceflow
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
        """Start a server, which runs until `stack` is closed."""
        _, place = self.polling.places(mode)
        server = deviceflow(place, self._store.url, name=self.name, source=self._source)
        return stack.enter_context(server)


def run(run: Run, source: Path, pending: int = PENDING) -> Result:
    """Compare the lanes, with `pending` grants. `source`: the folder of the other checkout."""
    if not (source / "deviceflow/__main__.py").is_file():
        raise BenchmarkError(f"{source} is no checkout of deviceflow")
    with ExitStack() as stack:
        sides = [Side(run, stack, NOW, None), Side(run, stack, BEFORE, source.resolve())]
        sections = [_compare(run, sides, mode, pending) for mode in MODES if mode.workers]
    figures = {
        f"{section.key}: {NOW} / {BEFORE}": section.ratios[0].spread.median for section in sections
    }
    return run.finish("before", sections, figures, {"pending": pending})


def _compare(run: Run, sides: list[Side], mode: Mode, pending: int) -> Section:
    with ExitStack() as stack:
        entries = [
            side.polling.entry(
                side.name, side.serve(stack, mode), side.polling.codes_of(pending), mode
            )
            for side in sides
        ]
        load, _ = sides[0].polling.places(mode)
        series = take_turns(mode.title, entries, run.turns, load, run.screen)
    return make_section(mode.key, f"Polls: {mode.title}", "polls/s", series, [(NOW, BEFORE)])
