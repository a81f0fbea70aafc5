"""`polling`: how many polls of pending grants a server answers per second.

Four competitors give a device the same bytes: deviceflow with its lane, deviceflow without it,
a plain aiohttp handler that reads the form and answers with a constant, and nginx with a
constant. The first two check the device code, look for a decision and judge the pace.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import plots
from benchmarks.load import Load, Shot
from benchmarks.machine import core_count
from benchmarks.polls import poll_start, seal, write_codes
from benchmarks.results import Result, Section, section
from benchmarks.rounds import Entry, take_turns
from benchmarks.run import Run
from benchmarks.servers import (
    LANE,
    LANE_OFF,
    NGINX,
    PLAIN,
    Competitor,
    Place,
    check_same_answer,
    deviceflow,
    nginx,
    nginx_path,
    plain,
)
from benchmarks.stores import Store, asked_for_polls, store

PENDING = 100_000
FEW, MANY = 1_000, 1_000_000
SAMPLE_S = 1.0


class Mode(NamedTuple):
    """How devices connect, and how many processes serve them (0: as many as cores)."""

    key: str
    title: str
    close: bool
    workers: int


MODES = (
    Mode("keepalive_1", "connections kept, 1 worker", close=False, workers=1),
    Mode("close_1", "a connection per poll, 1 worker", close=True, workers=1),
    Mode("keepalive_n", "connections kept, {n} workers", close=False, workers=0),
    Mode("close_n", "a connection per poll, {n} workers", close=True, workers=0),
)


class Codes(NamedTuple):
    """A file of device codes, shuffled; `one` of them for a check."""

    path: Path
    count: int
    one: str

    def shots(self, before: bytes, rounds: int) -> Callable[[int], Shot]:
        """Each round goes on in another part of the file."""
        return lambda number: Shot(before, self.path, number * (self.count // rounds))


def run(
    run: Run, *, pending: int = PENDING, few: int = FEW, many: int = MANY, all_workers: bool = True
) -> Result:
    """Measure all modes with `pending` grants, then the lane with `few` and `many`."""
    figures: dict[str, float] = {}
    with store(run.folder, run.cores.generator) as opened:
        codes = {count: _codes(run, opened, count) for count in {pending, few, many}}
        before = opened.commands()
        sections = []
        for mode in MODES if all_workers else MODES[:2]:
            sections.append(_compare(run, opened, mode, codes[pending]))
        sections.append(_scale(run, opened, codes[few], codes[many]))
        extra = asked_for_polls(before, opened.commands())
    for one in sections:
        for ratio in one.ratios:
            figures[f"{one.key}: {ratio.competitor} / {ratio.other}"] = ratio.spread.median
    polls = sum(
        rate * run.turns.seconds
        for one in sections
        for series in one.series
        if series.competitor not in {PLAIN, NGINX}
        for rate in series.values
    )
    figures["redis commands per poll"] = sum(extra.values()) / polls
    result = run.finish(
        "polling",
        sections,
        figures,
        {"pending": pending, "few": few, "many": many, "connections": Load.__new__.__defaults__[0]},
    )
    plots.polling(result, run.results)
    return result
