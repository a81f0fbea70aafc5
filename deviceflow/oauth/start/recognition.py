"""Recognise the start of a grant in the bytes that arrived: one complete, ordinary request.

The head is read by the rules of `oauth/poll/recognition.py`, so nothing in it can change where the
request ends, who sent it or how it is authenticated. The body is read by `core/form.py`, as
the ordinary handler reads it, and has nothing but `client_id` and perhaps `scope`. Everything else
gives None, and is aiohttp's, byte for byte.
"""

from typing import NamedTuple

from deviceflow.core.form import FormError, parse_form
from deviceflow.oauth.poll.later import IncompleteRequest
from deviceflow.oauth.poll.recognition import HEAD_END, MAX_HEAD, read_head

_USER_AGENT = "user-agent"
_KNOWN = {"client_id", "scope"}


class PlainStart(NamedTuple):
    """A request for codes of a client that shows nothing but its name.

    `lines`: the values of the headers that were asked for, in order. `user_agent`: empty if there
    is none. `close`: the connection ends after the answer.
    """

    client_id: str
    scope: str | None
    user_agent: str
    lines: dict[str, tuple[str, ...]]
    close: bool
    has_origin: bool


def read_start(
    data: bytes, line: bytes, names: frozenset[str]
) -> PlainStart | IncompleteRequest | None:
    """Read a request whose first line is `line`. `names`: headers to return, in lower case."""
    end = data.find(HEAD_END)
    # Nearly everything that is no start ends here.
    if not 0 < end <= MAX_HEAD or not data.startswith(line):
        return None
    head = read_head(data[:end])
    if head is None or not head.is_form or head.line != line:
        return None
    body_at = end + len(HEAD_END)
    missing = body_at + head.content_length - len(data)
    if missing:
        return IncompleteRequest(missing) if missing > 0 else None
    fields = _read_body(data[body_at:])
    if fields is None:
        return None
    lines = _lines(data[:end], names | {_USER_AGENT})
    return PlainStart(
        client_id=fields["client_id"],
        scope=fields.get("scope"),
        # A head that has it twice was not read.
        user_agent="".join(lines[_USER_AGENT]),
        lines=lines,
        close=head.close,
        has_origin=head.has_origin,
    )


def _read_body(body: bytes) -> dict[str, str] | None:
    """Return the parameters, or None if there are others, or if one of them counts as omitted."""
    try:
        fields = parse_form(body).fields
    except FormError:
        return None
    is_plain = len(fields) == body.count(b"=") == body.count(b"&") + 1
    return fields if is_plain and "client_id" in fields and fields.keys() <= _KNOWN else None


def _lines(head: bytes, names: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Return the values of headers in a head that `read_head` has read."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for field in head.decode("ascii").split("\r\n")[1:]:
        name, _, value = field.partition(":")
        values = found.get(name.lower())
        if values is not None:
            values.append(value.strip(" \t"))
    return {name: tuple(values) for name, values in found.items()}
