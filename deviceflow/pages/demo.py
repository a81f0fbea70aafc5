"""The demo: one page on which a television signs in, with every message on the wire beside it.

The television is the page's own script (`templates/static/demo.js`). It speaks to the same
endpoints as every other device and is treated no differently.
"""

import io
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import segno
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core.address import is_loopback
from deviceflow.core.user_code import MAX_GROWTH, UserCodeFormat, display, normalise
from deviceflow.pages.errors import PageError
from deviceflow.pages.headers import security_headers
from deviceflow.pages.render import HTTPS, render

_POLICY = {"script-src": "'self'", "connect-src": "'self'", "img-src": "'self'"}
_SCOPES = ("openid", "profile", "offline_access")


class Demo(NamedTuple):
    """The television of `deviceflow demo`, and who may approve it."""

    client_id: str
    username: str
    password: str


class DemoPages:
    """The page and its QR code; routed only where a demo is asked for.

    `client_id`: the public client that the television is. `username` and `password`: an account
    that exists for the demo alone, for they are written on the page for everybody to read.
    """

    def __init__(self, settings: Settings, client_id: str, username: str, password: str) -> None:
        client = next((one for one in settings.clients if one.client_id == client_id), None)
        self._address = f"{settings.issuer_url}/device"
        self._format = (client and client.user_code) or settings.device.user_code
        self._context = {
            "client_id": client_id,
            "scope": " ".join((client and client.scopes) or _SCOPES),
            "username": username,
            "password": password,
            "local": is_loopback(urlsplit(settings.issuer_url).hostname or ""),
        }

    def routes(self) -> list[web.RouteDef]:
        """List what this class answers."""
        return [web.get("/demo", self.show), web.get("/demo/qr.svg", self.qr)]

    async def show(self, request: web.Request) -> web.Response:
        """Show the television."""
        return render(request, "demo.html", self._context, policy=_POLICY)

    async def qr(self, request: web.Request) -> web.Response:
        """Draw the verification_uri_complete of one user code (RFC 8628 3.3.1).

        Only the code is taken from the request, and only where it can be one: whoever links
        here cannot make this server vouch for an address of theirs.
        Raises `PageError` 400 for anything else.
        """
        code = _read(request.query.getall("user_code", []), self._format)
        if code is None:
            raise PageError(
                web.HTTPBadRequest.status_code,
                "That is no user code",
                "A QR code was asked for something that cannot be a code of this server.",
                "Use the code that the device shows, as it is.",
            )
        query = urlencode({"user_code": display(code, self._format.group)})
        return web.Response(
            body=_draw(f"{self._address}?{query}"),
            content_type="image/svg+xml",
            headers=security_headers(https=request.app[HTTPS]),
        )


def _read(values: list[str], form: UserCodeFormat) -> str | None:
    if len(values) != 1:
        return None
    code = normalise(values[0], form.alphabet)
    if code is None or not form.length <= len(code) <= form.length + MAX_GROWTH:
        return None
    return code


def _draw(address: str) -> bytes:
    """Draw a QR code as SVG, dark on white whatever surrounds it, with the margin inside."""
    drawing = io.BytesIO()
    segno.make_qr(address, error="m").save(
        drawing, kind="svg", border=3, dark="#120d2e", light="#fff", omitsize=True
    )
    return drawing.getvalue()
