"""Forms as browsers send them: read up to a limit, and refused rather than guessed at."""

from aiohttp import web

from deviceflow.core.form import FormError, parse_form
from deviceflow.pages.errors import too_large, unreadable, wrong_type

_TYPE = "application/x-www-form-urlencoded"


async def read_fields(request: web.Request, max_bytes: int) -> dict[str, str]:
    """Read the fields of a form of at most `max_bytes`; an empty field counts as missing.

    Raises `PageError`: 415 for another content type, 413 for a longer body, 400 for what
    `core.form` refuses: broken escapes, bytes that are not UTF-8, a field that comes twice.
    """
    if request.content_type != _TYPE or (request.charset or "utf-8").lower() != "utf-8":
        raise wrong_type()
    try:
        return parse_form(await _read_body(request, max_bytes)).fields
    except FormError:
        raise unreadable() from None


async def _read_body(request: web.Request, max_bytes: int) -> bytes:
    if (request.content_length or 0) > max_bytes:
        raise too_large()
    body = bytearray()
    async for chunk in request.content.iter_any():  # a chunked body has no length
        body += chunk
        if len(body) > max_bytes:
            raise too_large()
    return bytes(body)
