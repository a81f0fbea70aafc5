"""The figures of a result that have a name, for objectives and comparisons."""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from deviceflow.fleet.result import FleetResult, Latency, Operation, PollOutcome

_MOST_NAMED = 3
_SAME = re.compile(r"[\s_-]+")

_PERCENTILES: dict[str, Callable[[Latency], float]] = {
    "mean": lambda latency: latency.mean_ms,
    "p50": lambda latency: latency.p50_ms,
    "p90": lambda latency: latency.p90_ms,
    "p99": lambda latency: latency.p99_ms,
    "p99.9": lambda latency: latency.p999_ms,
    "max": lambda latency: latency.max_ms,
}

_COUNTS: dict[str, Callable[[FleetResult], float]] = {
    "wrong outcomes": lambda result: sum(each.count for each in result.wrong.values()),
    "errors": lambda result: sum(result.errors.values()),
    "polls": lambda result: sum(result.polls.values()),
    "starts": lambda result: result.starts,
    "tokens": lambda result: result.tokens,
    "slow_down": lambda result: result.polls.get(PollOutcome.SLOW_DOWN, 0),
    "denied": lambda result: result.polls.get(PollOutcome.DENIED, 0),
    "expired": lambda result: result.polls.get(PollOutcome.EXPIRED, 0),
    "approvals": lambda result: result.approvals,
    "denials": lambda result: result.denials,
    "refreshes": lambda result: result.refreshes,
}


class Measure(NamedTuple):
    """A figure of a result. `read`: the figure, in ms if it is a time; None if there is none."""

    title: str
    is_time: bool
    read: Callable[[FleetResult], float | None]

    @property
    def name(self) -> str:
        """The title as machines have it: poll_p99."""
        return _SAME.sub("_", self.title)


def find_measure(words: str) -> Measure:
    """Find a measure by its title. May raise ValueError, which names similar ones.

    Upper and lower case, spaces, hyphens and underscores are the same.
    """
    name = _folded(words)
    if name in _BY_NAME:
        return _BY_NAME[name]
    near = {_BY_NAME[each].title: None for each in get_close_matches(name, _BY_NAME, _MOST_NAMED)}
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(_titles())}"
    raise ValueError(f"there is no measure {words.strip()!r}; {hint}")


def _folded(words: str) -> str:
    return _SAME.sub(" ", words).strip().lower()


def _latency(operation: Operation, percentile: str) -> Measure:
    def read(result: FleetResult) -> float | None:
        latency = result.latencies.get(operation)
        return _PERCENTILES[percentile](latency) if latency else None

    return Measure(f"{operation.replace('_', ' ')} {percentile}", is_time=True, read=read)


def _generator_late(result: FleetResult) -> float:
    return max((second.late_ms for second in result.series), default=0.0)


def _server_cpu(result: FleetResult) -> float | None:
    used = [second.server_cpu_s for second in result.series if second.server_cpu_s is not None]
    polls = sum(result.polls.values())
    return 1000 * sum(used) / polls if used and polls else None


def _all() -> Iterator[Measure]:
    for title, read in _COUNTS.items():
        yield Measure(title, is_time=False, read=read)
    for operation in Operation:
        for percentile in _PERCENTILES:
            yield _latency(operation, percentile)
    yield Measure("server cpu per poll", is_time=True, read=_server_cpu)
    yield Measure("generator late", is_time=True, read=_generator_late)


def _titles() -> Iterator[str]:
    yield from _COUNTS
    for operation in Operation:
        yield f"{operation.replace('_', ' ')} p50"
    yield f"the same with {', '.join(_PERCENTILES)}"


MEASURES = tuple(_all())
"""All measures, in the order in which reports have them."""

_BY_NAME = {_folded(measure.title): measure for measure in MEASURES}
_BY_NAME |= {
    name.replace("approval to tokens", "approval to token"): measure
    for name, measure in _BY_NAME.items()
}
_BY_NAME["wrong"] = _BY_NAME["wrong outcomes"]
