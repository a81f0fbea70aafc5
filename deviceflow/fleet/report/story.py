"""The scenario of a run in sentences, and its verdict in one."""

from collections.abc import Iterator

from deviceflow.fleet.objectives import TIME_UNITS
from deviceflow.fleet.report.words import clock, counted, duration, milliseconds, number
from deviceflow.fleet.result import FleetResult, Objective, People

ARRIVAL_WORDS = {
    "steady": "begin one after the other, and begin again when they are done",
    "evening": "begin over the whole run, most of them in its middle",
    "power-cut": "begin within a second, as after a power cut",
    "launch-day": "begin in a rush that fades away, as on the day of a launch",
}
STYLE_WORDS = {
    "obedient": "poll at the interval over a kept connection",
    "jittery": "poll up to a fifth later than they may",
    "hasty": "poll too fast, and slow down when they are told to",
    "reconnecting": "open a connection for each poll",
    "held": "ask the server to hold their polls",
    "quitting": "go away before anything is decided",
    "buggy": "poll too fast and ignore slow_down",
}
_PEOPLE = {
    "admin": "through the API of operators",
    "command": "by a command",
    "browser": "on the pages, in a browser",
}


def sentences(result: FleetResult) -> Iterator[str]:
    """Yield the sentences."""
    scenario = result.scenario
    arrival = ARRIVAL_WORDS.get(scenario.arrival, f"begin by the pattern {scenario.arrival}")
    yield (
        f"{counted(scenario.devices, 'device')} {arrival}. "
        f"The run takes {duration(scenario.seconds)}."
    )
    yield f"{_styles(scenario.styles)}."
    yield _people(scenario.people)
    if scenario.refreshers:
        clock_words = f", on a clock that is {number(scenario.token_clock)} times as fast"
        yield (
            f"{counted(scenario.refreshers, 'device')} stay with their tokens and refresh them"
            f"{clock_words if scenario.token_clock != 1 else ''}."
        )
    yield f"A device has to know a decision {duration(scenario.known_within_s)} after it was made."
    for fault in result.faults:
        until = f", until {clock(fault.until_s)}" if fault.until_s is not None else ""
        yield f"At {clock(fault.at_s)}{until}: {fault.title}."


def verdict(result: FleetResult) -> tuple[str, str]:
    """Return the verdict in words, and its kind: good, bad or warn."""
    if not result.is_complete:
        return f"The run was ended early, after {duration(result.seconds)}.", "warn"
    if not result.objectives:
        return "No objectives were set for this run.", "warn"
    missed = [each.title for each in result.objectives if not each.is_met]
    if missed:
        of = f"{len(missed)} of {counted(len(result.objectives), 'objective')}"
        return f"{of} not reached: {', '.join(missed)}.", "bad"
    return "Every objective was reached.", "good"


def wanted(objective: Objective) -> str:
    """Return what was wanted: below 50 ms."""
    return f"{objective.bound} {_with_unit(objective.wanted, objective.unit)}"


def measured(objective: Objective) -> str:
    """Return what was measured: 21 ms."""
    if objective.measured is None:
        return "nothing to measure"
    if objective.unit in TIME_UNITS:
        return milliseconds(objective.measured * TIME_UNITS[objective.unit])
    return _with_unit(objective.measured, objective.unit)


def _with_unit(value: float, unit: str) -> str:
    return f"{number(value)} {'a second' if unit == '/s' else unit}".rstrip()


def _styles(styles: dict[str, float]) -> str:
    parts = [
        f"{_per_cent(fraction)} {STYLE_WORDS.get(name, f'poll in the style {name}')}"
        for name, fraction in styles.items()
    ]
    if len(parts) == 1:
        return f"All {parts[0].partition('% ')[2]}"
    return "; ".join(parts)


def _people(people: People) -> str:
    if people.by == "nobody":
        return "No person decides: every code stays pending until it ends."
    return (
        f"People decide {_PEOPLE.get(people.by, f'by {people.by}')}, half of them within "
        f"{duration(people.median_s)}: {_per_cent(people.approve)} approve, "
        f"{_per_cent(people.deny)} deny, {_per_cent(people.walk_away)} walk away."
    )


def _per_cent(fraction: float) -> str:
    return f"{number(round(100 * fraction, 1))} %"
