"""The texts that people read on pages, from one catalogue (docs/decisions/0011).

The catalogue is `deviceflow/locale/en/LC_MESSAGES/deviceflow.po`, read once in a process. A text is
named by its id: `{{ _("device.enter.title") }}` in a template, `gettext("device.enter.title")` in
Python, always as a literal, so that `make texts` finds it. In a text, `%(name)s` is a variable and
`%%` a percent sign. A text has no markup: it is escaped, as its variables are.

Python looks a text up when it answers a request, never at import: which language it is in will
depend on the request.
"""

from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

import jinja2
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup, escape

LANGUAGE = "en"

_LOCALE = Path(__file__).parents[1] / "locale"


@cache
def catalogue() -> GNUTranslations:
    """Return the catalogue, read once. May raise `OSError`."""
    return read_catalogue()


def read_catalogue() -> GNUTranslations:
    """Read the catalogue. May raise `OSError`."""
    compiled = BytesIO()
    path = _LOCALE / LANGUAGE / "LC_MESSAGES" / "deviceflow.po"
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=LANGUAGE))
    compiled.seek(0)
    return GNUTranslations(compiled)


def gettext(text_id: str, **variables: object) -> str:
    """Return a text with its variables filled in. May raise `KeyError`.

    It is not yet escaped, unless a variable is `Markup`: then the text is, too.
    """
    text = catalogue().gettext(text_id)
    if any(isinstance(value, Markup) for value in variables.values()):
        return escape(text) % variables
    return text % variables


def isolated(name: str) -> Markup:
    """Return a name whose direction of writing changes nothing around it."""
    return Markup("<bdi>{}</bdi>").format(name)


def ngettext(singular_id: str, plural_id: str, num: int) -> str:
    """Return the form of a text that fits the number `num`, which the text calls `%(num)s`."""
    return catalogue().ngettext(singular_id, plural_id, num) % {"num": num}


def install_texts(environment: jinja2.Environment) -> None:
    """Give templates `_`, `gettext` and `ngettext`. May raise `OSError`.

    Jinja takes a catalogue's text for markup. Here it is escaped first, so that it reads the same
    whether a template or Python asks for it; a variable that is `Markup` stays as it is.
    """
    texts = catalogue()

    def escaped(text_id: str) -> Markup:
        return escape(texts.gettext(text_id))

    def escaped_plural(singular_id: str, plural_id: str, num: int) -> Markup:
        return escape(texts.ngettext(singular_id, plural_id, num))

    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(  # type: ignore[attr-defined] # the extension adds it
        escaped, escaped_plural, newstyle=True
    )
