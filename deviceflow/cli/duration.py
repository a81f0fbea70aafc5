"""An option that is a duration."""

import re

import click

_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?", re.ASCII)
_UNITS_S = {None: 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """A duration in s: 90, 90s, 5m, 1h."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it."""
        if isinstance(value, float):
            return value
        found = _FORM.fullmatch(str(value).strip())
        seconds = float(found[1]) * _UNITS_S[found[2]] if found else 0.0
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is no duration: write 90, 90s, 5m or 1h", param, ctx)
        return seconds
