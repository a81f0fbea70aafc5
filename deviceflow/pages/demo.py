"""The demo: one page on which a television signs in, with every message on the wire beside it.

The television is the page's own script (`templates/static/demo.js`). It speaks to the same
endpoints as every other device and is treated no differently. The page is for developers, so its
texts stand in the template and the script, not in the catalogue.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import segno
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core.address import is_loopback
from deviceflow.core.user_code import UserCodeFormat, display, normalise
from deviceflow.pages.errors import PageError
from deviceflow.pages.headers import security_headers
from deviceflow.pages.render import HTTPS, render
from deviceflow.pages.texts import ENGLISH, gettext, read_language, speaking

_POLICY = {"script-src": "'self'", "connect-src": "'self'", "img-src": "'self'"}
_SCOPES = ("openid", "profile", "offline_access")


class Demo(NamedTuple):
    """The television of `deviceflow demo`, and who may approve it.

    `client_id`: the public client that the television is. `username` and `password`: an account
    that exists for the demo alone, for they are written on the page for everyone to read.
    """

    client_id: str
    username: str
    password: str


@dataclass(frozen=True, kw_only=True)
class DemoPages:
    """The page and its QR code; routed only where a demo is asked for.

    `settings`: they know the address that the television shows; `form`: of its codes.
    """

    settings: Settings
    form: UserCodeFormat
    context: Mapping[str, Any]

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/demo", self.show), web.get("/demo/qr.svg", self.qr)]

    async def show(self, request: web.Request) -> web.Response:
        """Show the television, in English whatever the request asks for."""
        with speaking(read_language(ENGLISH)):
            return render(request, "demo.html", self.context, policy=_POLICY)

    async def qr(self, request: web.Request) -> web.Response:
        """Draw the verification_uri_complete of one user code (RFC 8628 3.3.1).

        Only the code is taken from the request, and only if it can be one: a link to this image
        cannot make this server vouch for an address of another.
        Raises `PageError` 400 for anything else.
        """
        code = _read(request.query.getall("user_code", []), self.form)
        if code is None:
            raise _no_code()
        address = self.settings.verification_uri_complete(display(code, self.form.group))
        return web.Response(
            body=_draw(address),
            content_type="image/svg+xml",
            headers=security_headers(https=request.app[HTTPS]),
        )


def demo_pages(settings: Settings, demo: Demo) -> DemoPages:
    """Make the pages of `demo`."""
    clients = (client for client in settings.clients if client.client_id == demo.client_id)
    client = next(clients, None)
    return DemoPages(
        settings=settings,
        form=(client and client.user_code) or settings.device.user_code,
        context={
            "client_id": demo.client_id,
            "scope": " ".join((client and client.scopes) or _SCOPES),
            "username": demo.username,
            "password": demo.password,
            "local": is_loopback(urlsplit(settings.issuer_url).hostname or ""),
        },
    )


def _read(values: list[str], form: UserCodeFormat) -> str | None:
    if len(values) != 1:
        return None
    code = normalise(values[0], form.alphabet)
    if code is None or not form.length <= len(code) <= form.longest:
        return None
    return code


def _draw(address: str) -> bytes:
    """Draw a QR code as SVG, dark on white whatever surrounds it, with the margin inside."""
    drawing = io.BytesIO()
    segno.make_qr(address, error="m").save(
        drawing, kind="svg", border=3, dark="#120d2e", light="#fff", omitsize=True
    )
    return drawing.getvalue()


def _no_code() -> PageError:
    return PageError(
        400,
        title=gettext("error.no_code.title"),
        happened=gettext("error.no_code.happened"),
        next_step=gettext("error.no_code.next_step"),
    )
