"""The texts that people read on pages, from one catalogue for each language (docs/languages.md).

The catalogues are `deviceflow/locale/<language>/LC_MESSAGES/deviceflow.po`, read once in a process.
A text is named by its id: `{{ _("device.enter.title") }}` in a template,
`gettext("device.enter.title")` in Python, always as a literal, so that `make texts` finds it. In a
text, `%(name)s` is a variable and `%%` a percent sign. A text has no markup: it is escaped, as its
variables are.

Python looks a text up when it answers a request, never at import, because the language depends on
the request (`pages.languages`). A text that a catalogue lacks is English.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Literal

import jinja2
from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_decimal
from markupsafe import Markup, escape

ENGLISH = "en"

_RIGHT_TO_LEFT = {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"}
"""The languages that Babel says are written from right to left, without reading all of Babel."""

_LOCALES = Path(__file__).parents[1] / "locale"


class TextsError(Exception):
    """A catalogue that cannot be read. The text says which, and what is wrong with it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Language:
    """A language with its texts. `tag`: as in RFC 5646, such as `de` and `zh-Hans`."""

    tag: str
    catalogue: GNUTranslations

    @cached_property
    def locale(self) -> Locale:
        """What Babel knows of the language. It reads that at the first date or number."""
        return Locale.parse(self.tag, sep="-")

    @property
    def direction(self) -> Literal["ltr", "rtl"]:
        """The direction of writing, as HTML names it."""
        return "rtl" if self.tag.partition("-")[0] in _RIGHT_TO_LEFT else "ltr"


def read_language(tag: str, folder: Path | None = None) -> Language:
    """Return a language. `folder`: where an operator keeps texts (`<tag>.po`) that come first.

    May raise `TextsError`.
    """
    own, *shipped = catalogue_paths(tag, folder)
    if own == _path(tag):
        return _shipped(tag)
    catalogue = read_catalogue(own, tag)
    catalogue.add_fallback(_shipped(tag if shipped else ENGLISH).catalogue)
    return Language(tag=tag, catalogue=catalogue)


def catalogue_paths(tag: str, folder: Path | None) -> list[Path]:
    """List the files with texts of a language, the operator's first. May raise `TextsError`."""
    candidates = [folder / f"{tag}.po"] if folder else []
    candidates.append(_path(tag))
    if found := [path for path in candidates if path.is_file()]:
        return found
    raise TextsError(f"{candidates[0]}: there is no such file, so no texts in {tag}")


def shipped_languages() -> list[str]:
    """List the tags of the languages that come with this server."""
    return sorted(path.name.replace("_", "-") for path in _LOCALES.iterdir() if path.is_dir())


def _shipped(tag: str) -> Language:
    return _read_shipped(tag, _state_of(tag), _state_of(ENGLISH))


@cache
def _read_shipped(tag: str, *_states: tuple[int, int]) -> Language:
    """Read a catalogue once for each state of its file, before the workers are forked."""
    catalogue = read_catalogue(_path(tag), tag)
    if tag != ENGLISH:
        catalogue.add_fallback(_shipped(ENGLISH).catalogue)
    return Language(tag=tag, catalogue=catalogue)


def _state_of(tag: str) -> tuple[int, int]:
    status = _path(tag).stat()
    return status.st_mtime_ns, status.st_size


def _path(tag: str) -> Path:
    return _LOCALES / tag.replace("-", "_") / "LC_MESSAGES" / "deviceflow.po"


def read_catalogue(path: Path, tag: str) -> GNUTranslations:
    """Read the catalogue of a language. May raise `TextsError`.

    What has no text is left out, so that the fallback is asked for it.
    """
    try:
        with path.open("rb") as file:
            catalog = read_po(file, locale=str(Locale.parse(tag, sep="-")), abort_invalid=True)
    except OSError as error:
        raise TextsError(f"{path}: cannot be read: {error.strerror}") from error
    except (PoFileError, ValueError, LookupError) as error:
        raise TextsError(f"{path}: {error}") from error
    for message in list(catalog):
        if message.pluralizable and not all(message.string or ()):
            catalog.delete(message.id)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return GNUTranslations(compiled)


# The language of the request that is being answered

_CURRENT: ContextVar[Language | None] = ContextVar("language", default=None)


def language() -> Language:
    """Return the language in which texts are looked up now: English outside any request."""
    return _CURRENT.get() or _shipped(ENGLISH)


def speak(language: Language) -> None:
    """Look texts up in `language` from now on, until the request has its answer."""
    _CURRENT.set(language)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Look texts up in `language` until the block ends."""
    token = _CURRENT.set(language)
    try:
        yield
    finally:
        _CURRENT.reset(token)


# Texts


def gettext(text_id: str, **variables: object) -> str:
    """Return a text with its variables filled in. May raise `KeyError`.

    It is not yet escaped, unless a variable is `Markup`: then the text is, too.
    """
    text = language().catalogue.gettext(text_id)
    if any(isinstance(value, Markup) for value in variables.values()):
        return escape(text) % variables
    return text % variables


def ngettext(singular_id: str, plural_id: str, num: int) -> str:
    """Return the form of a text that fits the number `num`, which the text calls `%(num)s`."""
    now = language()
    form = now.catalogue.ngettext(singular_id, plural_id, num)
    return form % {"num": format_decimal(num, locale=now.locale)}


def isolated(name: str) -> Markup:
    """Return a name whose direction of writing changes nothing around it."""
    return Markup("<bdi>{}</bdi>").format(name)


def install_texts(environment: jinja2.Environment) -> None:
    """Give templates `_`, `gettext` and `ngettext`.

    Jinja takes a catalogue's text for markup. Here it is escaped first, so that it reads the same
    whether a template or Python asks for it; a variable that is `Markup` stays as it is.
    """

    def escaped(text_id: str) -> Markup:
        return escape(language().catalogue.gettext(text_id))

    def escaped_plural(singular_id: str, plural_id: str, num: int) -> Markup:
        return escape(ngettext(singular_id, plural_id, num))

    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(  # type: ignore[attr-defined] # the extension adds it
        escaped, escaped_plural, newstyle=True
    )
    environment.globals["ngettext"] = escaped_plural
