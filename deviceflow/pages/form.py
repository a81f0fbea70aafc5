"""Forms as browsers send them: read up to a limit, and refused rather than guessed at."""

from aiohttp import web

from deviceflow.callers import media_type
from deviceflow.core.form import FormError, parse_form
from deviceflow.pages.errors import too_large, unreadable, wrong_type

_LONGEST_TYPE = 256
_TYPE = "application/x-www-form-urlencoded"


async def read_fields(request: web.Request, max_bytes: int) -> dict[str, str]:
    """Read the fields of a form of at most `max_bytes`; an empty field counts as missing.

    Raises `PageError`: 415 for another content type, 413 for a longer body, 400 for what
    `core.form` refuses: broken escapes, bytes that are not UTF-8, a field that comes twice.
    """
    if media_type(request) != _TYPE or not _is_utf_8(request):
        raise wrong_type()
    try:
        return parse_form(await _read_body(request, max_bytes)).fields
    except FormError:
        raise unreadable() from None


def _is_utf_8(request: web.Request) -> bool:
    # Reading the parameters takes quadratic time (`media_type`), and no browser sends so many.
    is_short = len(request.headers.get("Content-Type", "")) <= _LONGEST_TYPE
    return is_short and (request.charset or "utf-8").lower() == "utf-8"


async def _read_body(request: web.Request, max_bytes: int) -> bytes:
    if (request.content_length or 0) > max_bytes:
        raise too_large()
    body = bytearray()
    async for chunk in request.content.iter_any():  # a chunked body has no length
        body += chunk
        if len(body) > max_bytes:
            raise too_large()
    return bytes(body)
