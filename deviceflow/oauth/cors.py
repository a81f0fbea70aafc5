"""CORS for the endpoints that devices use: televisions run pages of other origins.

Every answer of these endpoints has the headers, errors too, so that a page can read what is wrong.
Resource servers and people have no use for them: introspection and the pages stay closed.
"""

from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deviceflow.config import Settings
from deviceflow.core.cross_origin import CrossOrigin

ENDPOINTS = (
    "/oauth2/device_authorization",
    "/oauth2/token",
    "/oauth2/userinfo",
    "/oauth2/revoke",
    "/oauth2/jwks",
    "/.well-known/jwks.json",
    "/oauth2/register",
)
METADATA_PATHS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


@dataclass(frozen=True, kw_only=True)
class Cors:
    """Adds the headers to answers, and answers preflights. `base`: the issuer's path."""

    rule: CrossOrigin
    base: str

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers (a signal `on_response_prepare`)."""
        response.headers.update(self.headers(request.path, request.headers.get("Origin")))

    def headers(self, path: str, origin: str | None) -> dict[str, str]:
        """Return the headers of an answer at `path` to `origin` (None: the request names none)."""
        return self.rule.headers(origin) if self._covers(path) else {}

    def middleware(self) -> Middleware:
        """Return the middleware that answers preflights."""

        @web.middleware
        async def answer_preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
            headers = self._preflight(request)
            return await handler(request) if headers is None else _allowed(headers)

        return answer_preflight

    def _preflight(self, request: web.Request) -> dict[str, str] | None:
        """Return the headers of the answer, or None if `request` is no preflight to be allowed."""
        origin = request.headers.get("Origin")
        # No route takes OPTIONS, so the router has looked which methods the path does take.
        missed = request.match_info.http_exception
        if (
            request.method != "OPTIONS"
            or origin is None
            or "Access-Control-Request-Method" not in request.headers
            or not isinstance(missed, web.HTTPMethodNotAllowed)
            or not self._covers(request.path)
        ):
            return None
        return self.rule.preflight(origin, missed.allowed_methods - {"HEAD"})

    def _covers(self, path: str) -> bool:
        if path.endswith(self.base) and path.removesuffix(self.base) in METADATA_PATHS:
            return True
        below = path.removeprefix(self.base)
        if self.base and below == path:
            return False
        return (
            below in ENDPOINTS or below in METADATA_PATHS or below.startswith("/oauth2/register/")
        )


def cors(settings: Settings) -> Cors:
    """Make the rule of these settings."""
    return Cors(rule=CrossOrigin(settings.server.cors_origins), base=settings.route_path)


def _allowed(headers: dict[str, str]) -> web.Response:
    return web.Response(status=204, headers=headers)
