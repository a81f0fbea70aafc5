"""GET /oauth2/gateway: may this request pass? For proxies in front of APIs.

A proxy sends the head of each request here before it lets the request through: nginx by
`auth_request`, Traefik by `forwardAuth`, Caddy by `forward_auth`, Envoy by `ext_authz`. The answer
is 204 with the facts of the token, 401, or 403 (RFC 6750 3).

Anybody may ask, as at userinfo: the answer needs the token, and says no more than its holder may
know. What is to be required is in the address, in the proxy's own words. The proxy writes it, not
the client. If it cannot be understood, no request passes.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

from aiohttp import web

from deviceflow.callers import Callers
from deviceflow.core.claims import Claims
from deviceflow.core.client import scope_tokens
from deviceflow.core.dpop import ProofRequirements
from deviceflow.core.errors import invalid_request
from deviceflow.oauth.answers import NO_STORE
from deviceflow.oauth.protected_resource import TokenChecks, credentials_of, insufficient_scope

PATH = "/oauth2/gateway"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""The methods of requests that Envoy asks about, with HEAD. It lets no other through."""

FACTS = {
    "X-Token-Subject": "sub",
    "X-Token-Client-Id": "client_id",
    "X-Token-Scope": "scope",
    "X-Token-Audience": "aud",
    "X-Token-Expires-At": "exp",
}
"""The headers of a 204, and the claims in them. All are always there, so that a proxy that copies
them replaces headers of these names that a client has made up."""

# Everything that is printable ASCII but the percent sign, which tells what was encoded.
_PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e ]+")
_FORWARDED = tuple(f"X-Forwarded-{part}" for part in ("Method", "Proto", "Host", "Uri"))


class Requirements(NamedTuple):
    """What a token must have: all of `scopes`, and one of `audience`."""

    scopes: tuple[str, ...]
    audience: tuple[str, ...]


class ForwardedRequest(NamedTuple):
    """The request that a client has sent to the proxy. `uri`: its path and query."""

    method: str
    scheme: str
    host: str
    uri: str

    def proof(self, token: str) -> ProofRequirements:
        """Return what a DPoP proof of this request must match (RFC 9449 4.3)."""
        path = self.uri.partition("?")[0]
        return ProofRequirements(self.method, f"{self.scheme}://{self.host}{path}", token)


@dataclass(frozen=True, kw_only=True)
class GatewayEndpoint:
    """The endpoint that checks the tokens of requests to APIs."""

    issuer: str
    tokens: TokenChecks
    callers: Callers

    def routes(self) -> list[web.RouteDef]:
        """List the routes. The second is for Envoy, which appends the path of the request."""
        appended = f"{PATH}/{{requirements}}/{{forwarded:.*}}"
        return [
            web.get(PATH, self.handle),
            *(web.route(method, appended, self.handle_appended) for method in METHODS),
        ]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer by the X-Forwarded headers. May raise OAuthError, StoreUnavailable."""
        required = requirements(request.rel_url.raw_query_string)
        return await self._answer(request, required, self._forwarded(request))

    async def handle_appended(self, request: web.Request) -> web.Response:
        """Answer by the request itself. May raise OAuthError, StoreUnavailable.

        If it may pass, the status is 200: Envoy takes no other for a yes.
        """
        below = request.rel_url.raw_path.partition(f"{PATH}/")[2]
        required, _, path = below.partition("/")
        forwarded = None
        schemes = request.headers.getall("X-Forwarded-Proto", [])
        if self.callers.is_by_proxy(request) and len(schemes) == 1:
            forwarded = ForwardedRequest(request.method, schemes[0], request.host, f"/{path}")
        response = await self._answer(request, requirements(required), forwarded)
        response.set_status(200)
        return response

    async def _answer(
        self, request: web.Request, required: Requirements, forwarded: ForwardedRequest | None
    ) -> web.Response:
        credentials = credentials_of(request)
        proof = forwarded.proof(credentials.token) if forwarded else None
        # RFC 9068 4: never a token for just any API. Without a name, it is for this server.
        audience = required.audience or (self.issuer,)
        active = await self.tokens.admit(request, credentials, audience, proof)
        if not {*required.scopes} <= {*scope_tokens(active.claims["scope"])}:
            raise insufficient_scope(credentials.scheme, " ".join(required.scopes))
        return web.Response(status=204, headers=NO_STORE | facts(active.claims))

    def _forwarded(self, request: web.Request) -> ForwardedRequest | None:
        """Return the request that the proxy describes; None if there is no reason to believe it."""
        values = [request.headers.getall(name, []) for name in _FORWARDED]
        if not self.callers.is_by_proxy(request) or any(len(lines) != 1 for lines in values):
            return None
        return ForwardedRequest(*(lines[0] for lines in values))


def requirements(text: str) -> Requirements:
    """Read what the proxy requires: `scope` and `resource`, in the form of a query.

    Anything else may be a mistake that would let every token pass. May raise OAuthError.
    """
    scopes: list[str] = []
    audience: list[str] = []
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        if name == "scope" and _SCOPE.fullmatch(value) and value.strip():
            scopes += scope_tokens(value)
        elif name == "resource" and value:
            audience.append(value)
        else:
            raise invalid_request("The proxy may send scope and resource here, each with a value.")
    return Requirements(tuple(scopes), tuple(audience))


def facts(claims: Claims) -> dict[str, str]:
    """Return the headers with what `claims` say. Characters that no header can have are encoded."""
    return {name: quote(_text(claims[claim]), safe=_PLAIN) for name, claim in FACTS.items()}


def _text(value: object) -> str:
    # No audience has a space in it.
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
