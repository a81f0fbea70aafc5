"""Forms, read strictly (RFC 6749 appendix B; WHATWG URL, application/x-www-form-urlencoded).

RFC 6749 3.2: a parameter sent without a value is treated as if it were omitted, and a
parameter MUST NOT be sent twice. What cannot be decoded exactly is refused, not guessed.
"""

import re
from collections.abc import Container
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

MAX_FIELDS = 64

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class FormError(ValueError):
    """The body is not a form, or says a thing twice. The text is fit for an answer."""


class Form(NamedTuple):
    """What a form says, without its empty fields.

    `fields`: those that have one value; `repeated`: those that may have several, in order.
    """

    fields: dict[str, str]
    repeated: dict[str, list[str]]


def parse_form(body: bytes, repeatable: Container[str] = ()) -> Form:
    """The fields of `body`; those of `repeatable` may be given several times.

    Raises FormError for broken percent-encoding, bytes that are not UTF-8, a field given
    twice, or more than MAX_FIELDS fields.
    """
    if _BROKEN_ESCAPE.search(body):
        raise FormError("The body has broken percent-encoding.")
    pairs = [pair for pair in body.split(b"&") if pair]
    if len(pairs) > MAX_FIELDS:
        raise FormError("The body has too many parameters.")
    fields: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        key = decode_component(name)
        text = decode_component(value)
        if key in repeatable:
            repeated.setdefault(key, []).append(text)
        elif key in fields:
            raise FormError("A parameter is given more than once.")
        else:
            fields[key] = text
    return Form(
        {key: value for key, value in fields.items() if value},
        {key: [value for value in values if value] for key, values in repeated.items()},
    )


def decode_component(raw: bytes) -> str:
    """One name or value of a form, decoded. Raises FormError."""
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise FormError("The body is not UTF-8.") from None
