"""An option that is a number in a range."""

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A number in a range; also 2e6 and 2_000_000. `nan` and `inf` are none."""

    name = "number"

    def _describe_range(self) -> str:
        """Describe the range in the help: 1000000000 in place of 1000000000.0."""
        return f"{self.min:.15g}<=x<={self.max:.15g}"

    def convert(
        self,
        value: Any,  # noqa: ANN401, click's: a text, or the default
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Read the number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number
