"""Continue at another page of this server."""

from urllib.parse import urlencode

from aiohttp import web

from deviceflow.pages.headers import security_headers
from deviceflow.pages.render import BASE, HTTPS


def see_other(request: web.Request, path: str, user_code: str = "", **query: str) -> web.Response:
    """Continue at the page `path` by GET: 303, never 307 (RFC 9700 4.12).

    `user_code`: the code that the person came with, if any, as `Codes.carry` writes it. `query`:
    more for that page to say; what is empty is left out.
    """
    fields = {name: value for name, value in ({"user_code": user_code} | query).items() if value}
    headers = security_headers(https=request.app[HTTPS])
    address = f"{request.app[BASE]}{path}"
    headers["Location"] = f"{address}?{urlencode(fields)}" if fields else address
    return web.Response(status=303, headers=headers)


def with_code(path: str, user_code: str) -> str:
    """Add the code that a person came with to a path; empty for none."""
    return f"{path}?{urlencode({'user_code': user_code})}" if user_code else path
