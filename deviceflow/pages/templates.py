"""The templates: the pages' own, and those of the operator that replace some of them.

A replacement has the name of the template that it replaces. It may extend the original, as
`original/base.html`, and change single blocks of it.
"""

from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from jinja2.bccache import Bucket

ORIGINAL = "original"
"""The name below which a replacement finds the original templates."""


class _CodeInMemory(jinja2.BytecodeCache):
    """The code of templates that were compiled before, with the checksums of their texts."""

    def __init__(self) -> None:
        self._codes: dict[str, tuple[str, CodeType | None]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket, if its template was compiled before and has not changed since."""
        checksum, code = self._codes.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code."""
        self._codes[bucket.key] = bucket.checksum, bucket.code


JINJA: dict[str, Any] = {
    "autoescape": True,
    "undefined": jinja2.StrictUndefined,
    "auto_reload": False,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "extensions": ["jinja2.ext.i18n"],
    "bytecode_cache": _CodeInMemory(),
}
"""The options of every environment for these templates.

They share the code, so a worker compiles nothing that was looked at before it was forked. Options
that change the code have to be the same for all of them.
"""


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
