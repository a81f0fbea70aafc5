"""The templates: the pages' own, and those of the operator that replace some of them.

A replacement has the name of the template that it replaces. It may extend the original, as
`original/base.html`, and change single blocks of it.
"""

from pathlib import Path

import jinja2

ORIGINAL = "original"
"""The name below which a replacement finds the original templates."""


def templates_dir() -> Path:
    """Find the templates: inside the wheel in the package, in a checkout beside it."""
    package = Path(__file__).parents[1]
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def make_loader(own: str | None, folder: Path) -> jinja2.BaseLoader:
    """Make the loader of the templates in `folder`, some of them replaced by those in `own`."""
    originals = jinja2.FileSystemLoader(folder)
    if own is None:
        return originals
    return jinja2.ChoiceLoader(
        [
            jinja2.FileSystemLoader(own),
            originals,
            jinja2.PrefixLoader({ORIGINAL: originals}),
        ]
    )
