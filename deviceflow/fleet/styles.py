"""How devices poll: each style is a row.

`deviceflow.device.schedule` computes the pause that a server asks for, as in real devices. A style
says which pause the device makes of it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Final

import msgspec

SHORTEST_PAUSE_S = 0.5
"""No device polls faster, whatever the server says."""

HASTE = 0.4
"""The part of the due pause that devices wait that poll too fast. No server tolerates as little."""

_JITTER = 0.2
GIVES_UP_S = (20.0, 120.0)

Pause = Callable[[float, float, random.Random], float]
"""(the pause that is due, the interval of the response, chance) -> the pause that is made, in s."""


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """A way to poll.

    `closes`: a connection for each poll. `is_held`: it asks for a hold. `gives_up`: it goes away
    before anything is decided, after a random time within GIVES_UP_S.
    """

    name: str
    help: str
    pause: Pause
    closes: bool = False
    is_held: bool = False
    gives_up: bool = False


def _as_due(due: float, _interval: float, _chance: random.Random) -> float:
    return due


def _jittery(due: float, _interval: float, chance: random.Random) -> float:
    return due * (1 + _JITTER * chance.random())


def _hasty(due: float, _interval: float, _chance: random.Random) -> float:
    return max(due * HASTE, SHORTEST_PAUSE_S)


def _deaf(_due: float, interval: float, _chance: random.Random) -> float:
    return max(interval * HASTE, SHORTEST_PAUSE_S)


STYLES: Final = {
    style.name: style
    for style in (
        Style(name="obedient", help="at the interval, over a kept connection", pause=_as_due),
        Style(name="jittery", help="up to a fifth later than that", pause=_jittery),
        Style(name="hasty", help="at 0.4 of the interval, and of any longer one", pause=_hasty),
        Style(name="reconnecting", help="a connection for each poll", pause=_as_due, closes=True),
        Style(name="held", help="asks the server to hold the poll", pause=_as_due, is_held=True),
        Style(name="quitting", help="goes away undecided", pause=_as_due, gives_up=True),
        Style(name="buggy", help="at 0.4 of the first interval; ignores slow_down", pause=_deaf),
    )
}
"""All styles by name."""


def read_weights(words: Sequence[str]) -> dict[str, float]:
    """Read NAME=WEIGHT words, and return the fraction of each style. May raise ValueError."""
    weights: dict[str, float] = {}
    for word in words or ("obedient=1",):
        name, _, text = word.partition("=")
        if name not in STYLES:
            raise ValueError(f"no style is called {name}; there are {', '.join(STYLES)}")
        try:
            weights[name] = float(text or "1")
        except ValueError:
            raise ValueError(f"the weight of {name} is no number: {text}") from None
        if not 0 <= weights[name] < float("inf"):
            raise ValueError(f"the weight of {name} is below zero or without end: {text}")
    total = sum(weights.values())
    if not total:
        raise ValueError("the weights of all styles are zero")
    return {name: weight / total for name, weight in weights.items() if weight}


def style_of(number: int, fractions: Mapping[str, float]) -> Style:
    """Return the style of a device. Any run of devices has nearly the wanted fractions."""
    # The golden ratio spreads the numbers evenly over 0 to 1, in every stretch of them.
    place = number * 0.6180339887498949 % 1.0
    for name, upper in zip(fractions, accumulate(fractions.values()), strict=True):
        if place < upper:
            return STYLES[name]
    return STYLES[list(fractions)[-1]]
