"""Recipes by which a browser decides: those that come along, and files."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from deviceflow import conformance
from deviceflow.conformance.browser import Recipe, read_recipe

RECIPES = Path(conformance.__file__).parent / "recipes"


def recipe_of(name: str, values: Sequence[str]) -> Recipe:
    """Read a recipe: one that comes along, or a file. `values` as NAME=VALUE replace its own.

    May raise UsageError: also if there is no browser to follow it.
    """
    if find_spec("playwright") is None:
        raise click.UsageError("A browser needs Playwright: pip install playwright")
    known = RECIPES / f"{name}.toml"
    own = dict(value.partition("=")[::2] for value in values)
    try:
        return read_recipe(known if known.is_file() else Path(name), own)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error
