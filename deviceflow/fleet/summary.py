"""A result in a few lines of text."""

from collections.abc import Iterator

from deviceflow.fleet.result import FleetResult, Objective


def lines_of(result: FleetResult) -> Iterator[str]:
    """Describe a result: what was done, how long it took, what was wrong, the objectives."""
    ended = "" if result.is_complete else ", ended before its time"
    yield f"{result.scenario.devices:,} devices at {result.settings.target}, {result.seconds:.0f} s{ended}"
    polls = ", ".join(f"{outcome} {count:,}" for outcome, count in result.polls.items())
    yield f"  polls       {polls or 'none'}"
    yield (
        f"  starts {result.starts:,}, approvals {result.approvals:,}, denials {result.denials:,}, "
        f"tokens {result.tokens:,}, refreshes {result.refreshes:,}"
    )
    for operation, latency in result.latencies.items():
        yield (
            f"  {operation:<20} p50 {latency.p50_ms:>9,.1f} ms   p99 {latency.p99_ms:>9,.1f} ms   "
            f"max {latency.max_ms:>9,.1f} ms"
        )
    for cause, count in result.errors.items():
        yield f"  error: {cause}: {count:,}"
    for kind, wrong in result.wrong.items():
        example = f" ({wrong.example})" if wrong.example else ""
        yield f"  wrong: {kind}: {wrong.count:,}, first after {wrong.first_s:.1f} s{example}"
    yield from (f"  note: {note}" for note in result.notes)
    yield from (_verdict(objective) for objective in result.objectives)


def _verdict(objective: Objective) -> str:
    met = "met   " if objective.is_met else "MISSED"
    measured = "nothing" if objective.measured is None else f"{objective.measured:,.4g}"
    return (
        f"{met} {objective.title} {objective.bound} {objective.wanted:,g} {objective.unit}".rstrip()
        + f": {measured} {objective.unit}".rstrip()
    )
