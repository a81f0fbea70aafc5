"""What a run has shown, as text."""

from collections.abc import Iterable, Iterator, Sequence

from tests.histories.run import Summary


def status(summary: Summary) -> str:
    """Return one line about a run that goes on."""
    return (
        f"{summary.took_s:5.0f} s  {summary.operations:,} operations  {summary.grants:,} grants  "
        f"{summary.faults.total():,} faults  {len(summary.violations)} violations"
    )


def report(summaries: Sequence[Summary]) -> str:
    """Return the report of all parts of a run."""
    return "\n".join(line for summary in summaries for line in _lines(summary)) + "\n"


def _lines(summary: Summary) -> Iterator[str]:
    plan = summary.plan
    yield f"== {plan.store}: {plan.devices} devices, seed {plan.seed}"
    yield status(summary)
    yield f"longest time without an answer to any poll: {summary.silence_s:.1f} s"
    yield ""
    yield from _table(
        "operations", ((f"{name}: {told}", n) for (name, told), n in _sorted(summary))
    )
    yield from _table("faults", summary.faults.most_common())
    yield f"violations: {len(summary.violations)}"
    for violation in summary.violations:
        yield ""
        yield str(violation)
    yield ""


def _sorted(summary: Summary) -> list[tuple[tuple[str, str], int]]:
    return sorted(summary.counts.items())


def _table(title: str, rows: Iterable[tuple[str, int]]) -> Iterator[str]:
    yield title
    for name, number in rows:
        yield f"  {name:<50} {number:>8,}"
    yield ""
