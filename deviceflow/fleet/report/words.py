"""Figures as people read them: numbers, durations, shares and ratios."""

NOTHING = "\N{EN DASH}"
"""Where there is no figure."""

_THREE_DIGITS = 100
_UNITS = (
    (7200.0, "h", 3600.0),
    (120.0, "min", 60.0),
    (1.0, "s", 1.0),
    (1e-3, "ms", 1e-3),
    (0.0, "us", 1e-6),
)
"""From which duration on a unit is used, its name, and its length in s."""


def number(value: float) -> str:
    """Return a number with three significant digits or all of its whole ones: 12,345 or 0.42."""
    if value == 0 or abs(value) >= _THREE_DIGITS or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """Return a duration in the unit that suits it: 850 us, 4.2 ms, 1.3 s, 2.5 min."""
    if seconds == 0:
        return "0 s"
    name, length = next((name, length) for least, name, length in _UNITS if seconds >= least)
    return f"{number(float(f'{seconds / length:.3g}'))} {name}"


def milliseconds(value: float) -> str:
    """Return a duration that is given in ms."""
    return duration(value / 1000)


def clock(seconds: float) -> str:
    """Return the time since the start of a run: 0:05, 2:30, 1:00:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def share(part: float, whole: float) -> str:
    """Return a part of a whole in per cent, or NOTHING if there is no whole."""
    return f"{number(100 * part / whole)} %" if whole else NOTHING


def counted(value: float, noun: str) -> str:
    """Return a count with its noun: 1 device, 20,000 devices."""
    return f"{number(value)} {noun}" + ("" if value == 1 else "s")
