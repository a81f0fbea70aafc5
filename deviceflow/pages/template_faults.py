"""What is wrong with templates, found before a worker uses them.

A replacement is compared with its original: a variable that its page does not give would fail when
the page is shown, and a form without one of the fields would do nothing.
"""

import re
from pathlib import Path

import jinja2
from jinja2 import meta

from deviceflow.pages.templates import JINJA, ORIGINAL, make_loader

GLOBALS = frozenset({"title", "static", "base", "look", "links", "_", "gettext", "ngettext"})
"""What every template can use, beside what its page gives it."""

_FIELD = re.compile(r"<(?:input|button)\b[^>]*?\bname=\"(\w+)\"")


def template_faults(own: str | None, folder: Path) -> list[str]:
    """Compile all templates; return a line for each that is no good."""
    environment = jinja2.Environment(  # noqa: S701, JINJA has autoescape
        loader=make_loader(own, folder), **JINJA
    )
    environment.newstyle_gettext = True  # type: ignore[attr-defined] # as `install_texts` sets it
    originals = _names(folder)
    faults = []
    if own is not None:
        if not Path(own).is_dir():
            return [f"pages.templates_dir: {own}: no folder; expected one with templates"]
        for name in sorted(_names(Path(own))):
            faults += _compared(environment, name, originals, Path(own), folder)
    for name in sorted(originals):
        faults += _compiled(environment, f"{ORIGINAL}/{name}" if own else name, folder / name)
    return faults


def _compared(
    environment: jinja2.Environment, name: str, originals: set[str], own: Path, folder: Path
) -> list[str]:
    """Compare a replacement with its original: what it can use, and which fields it must have."""
    path = own / name
    if name not in originals:
        known = ", ".join(sorted(originals))
        return [f"{path}: replaces no template; expected one of {known}"]
    if faults := _compiled(environment, name, path):
        return faults
    text = path.read_text("utf-8")
    given = _variables(environment, f"{ORIGINAL}/{name}") | GLOBALS
    try:
        used = _variables(environment, name)
    except jinja2.TemplateNotFound as error:
        return [f"{path}: there is no template {error.name}; expected another name"]
    if unknown := sorted(used - given):
        return [
            f"{path}: unknown variable {unknown[0]}; expected one of {', '.join(sorted(given))}"
        ]
    if f"{ORIGINAL}/" in text:
        return []
    missing = sorted(_fields((folder / name).read_text("utf-8")) - _fields(text))
    return [f"{path}: the field {missing[0]} is missing; expected it in a form"] if missing else []


def _compiled(environment: jinja2.Environment, name: str, path: Path) -> list[str]:
    try:
        environment.get_template(name)
    except jinja2.TemplateSyntaxError as error:
        return [f"{path}: line {error.lineno}: {error.message}"]
    except (jinja2.TemplateError, OSError, UnicodeDecodeError) as error:
        return [f"{path}: {error}"]
    return []


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")}


def _variables(
    environment: jinja2.Environment, name: str, seen: frozenset[str] = frozenset()
) -> set[str]:
    """Return the variables that a template uses, with those of templates that it builds on."""
    if environment.loader is None or name in seen:
        return set()
    tree = environment.parse(environment.loader.get_source(environment, name)[0])
    found = meta.find_undeclared_variables(tree)
    for other in meta.find_referenced_templates(tree):
        if other is not None:
            found |= _variables(environment, other, seen | {name})
    return found


def _fields(text: str) -> set[str]:
    return set(_FIELD.findall(text))
