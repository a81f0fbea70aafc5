"""Forms, read strictly (RFC 6749 appendix B; WHATWG URL, application/x-www-form-urlencoded).

RFC 6749 3.2: a parameter without a value counts as omitted, and a parameter MUST NOT be sent
twice. A body that cannot be decoded exactly is refused.
"""

import re
from collections.abc import Container
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

MAX_FIELDS = 64

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class FormError(ValueError):
    """The body is not a form, or repeats a parameter. The text may be sent to the client."""


class Form(NamedTuple):
    """The parameters of a form, without the empty ones.

    `fields`: the parameters with a single value; `repeated`: those that may have several, in order.
    """

    fields: dict[str, str]
    repeated: dict[str, list[str]]


def parse_form(body: bytes, repeatable: Container[str] = ()) -> Form:
    """Parse `body`. The parameters named in `repeatable` may occur several times.

    May raise FormError: for broken percent-encoding, bytes that are not UTF-8, a parameter that
    occurs twice, or more than MAX_FIELDS parameters.
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
    """Decode a name or a value of a form. May raise FormError."""
    try:
        if b"%" not in raw and b"+" not in raw:
            return raw.decode()
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise FormError("The body is not UTF-8.") from None
