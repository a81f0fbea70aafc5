"""Colours and whether text in them can be read (WCAG 2.2, 1.4.3).

A colour is "#" and six hexadecimal digits, in sRGB.
"""

MIN_CONTRAST = 4.5
"""WCAG AA for text of ordinary size."""

LIGHT_GROUND = "#f3f4f8"
"""The darkest ground that links have on the light pages (templates/static/style.css)."""

DARK_GROUND = "#181b22"
"""The lightest ground that links have on the dark pages."""

_STEPS = 100
_LINEAR_BELOW = 0.04045


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    dark, light = sorted((_luminance(first), _luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: str, other: str, part: float) -> str:
    """Return `colour` with `part` (0 to 1) of `other` in it."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def readable_on(colour: str, ground: str) -> str:
    """Return the shade of `colour` nearest to it that can be read on `ground`.

    It is darker on a light ground and lighter on a dark one.
    """
    end = max(("#000000", "#ffffff"), key=lambda each: contrast(each, ground))
    shades = (mixed(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next(shade for shade in shades if contrast(shade, ground) >= MIN_CONTRAST)


def _luminance(colour: str) -> float:
    """Return the relative luminance, as WCAG defines it."""
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= _LINEAR_BELOW else ((channel + 0.055) / 1.055) ** 2.4


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))
