"""Continue at another page of this server."""

from urllib.parse import urlencode

from aiohttp import web

from deviceflow.pages.headers import security_headers
from deviceflow.pages.render import BASE, HTTPS


def see_other(request: web.Request, path: str, user_code: str = "") -> web.Response:
    """Continue at the page `path` by GET: 303, never 307 (RFC 9700 4.12).

    `user_code`: the code that the person came with, if any, as `Codes.carry` writes it.
    """
    query = f"?{urlencode({'user_code': user_code})}" if user_code else ""
    headers = security_headers(https=request.app[HTTPS])
    headers["Location"] = f"{request.app[BASE]}{path}{query}"
    return web.Response(status=303, headers=headers)
