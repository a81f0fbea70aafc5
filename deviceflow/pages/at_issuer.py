"""Lead a browser that came by another name of this host to the issuer's address.

Forms count only at the issuer's origin (`csrf.py`). A person who opens `http://localhost:8628` of
an issuer at `http://127.0.0.1:8628` would learn that only after typing a password.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from deviceflow.core.origin import origin_of
from deviceflow.pages.codes import Codes
from deviceflow.pages.headers import security_headers
from deviceflow.pages.languages import LANGUAGES, UI_LOCALES
from deviceflow.pages.render import HTTPS

_FIRST_PAGES = {"/device", "/login", "/account"}
_MARK = {"at": "issuer"}
"""What is in an address to which this server has already led the browser."""


@dataclass(frozen=True, kw_only=True)
class AtIssuer:
    """Wraps the pages at which a person arrives."""

    issuer: str
    codes: Codes

    def lead(self, route: web.RouteDef) -> web.RouteDef:
        """Return `route` with a look at the host before it."""
        if route.method != "GET" or route.path not in _FIRST_PAGES:
            return route

        async def handle(request: web.Request) -> web.StreamResponse:
            if not self._is_elsewhere(request):
                return await route.handler(request)
            return self._redirect(request, route.path)

        return web.RouteDef(route.method, route.path, handle, route.kwargs)

    def _is_elsewhere(self, request: web.Request) -> bool:
        """Judge by the Host header.

        A proxy may pass its own name for this server instead of the browser's. Such a name leads to
        the issuer once, and the mark in the address then ends it: there is no loop. An address with
        more than a code in it comes from a redirect after a form, which was at the issuer.
        """
        host = request.headers.get("Host")
        if host is None or set(request.query) - {"user_code", UI_LOCALES}:
            return False
        own = origin_of(self.issuer)
        scheme = own.partition("://")[0]
        try:
            return origin_of(f"{scheme}://{host}") != own
        except ValueError:
            return True

    def _redirect(self, request: web.Request, page: str) -> web.Response:
        """Continue at the same page of the issuer, with the code and a language, nothing else."""
        code = self.codes.carry(request.query.get("user_code", ""))
        tag = request.app[LANGUAGES].asked(request)
        fields = _MARK | ({"user_code": code} if code else {}) | ({UI_LOCALES: tag} if tag else {})
        headers = security_headers(https=request.app[HTTPS])
        headers["Location"] = f"{self.issuer}{page}?{urlencode(fields)}"
        return web.Response(status=303, headers=headers)
