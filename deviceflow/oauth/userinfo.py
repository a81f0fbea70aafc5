"""GET and POST /oauth2/userinfo (OpenID Connect Core 5.3; RFC 6750; RFC 9449 7)."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.callers import media_type
from deviceflow.core import claims
from deviceflow.core.claims import Claims, Subject
from deviceflow.core.errors import invalid_request
from deviceflow.oauth.answers import json_response
from deviceflow.oauth.form import FORM, read_form
from deviceflow.oauth.presented_tokens import ActiveToken
from deviceflow.oauth.protected_resource import TokenChecks, credentials_of, insufficient_scope


@dataclass(frozen=True, kw_only=True)
class UserinfoEndpoint:
    """The endpoint with the claims about the person that approved a device."""

    issuer: str
    tokens: TokenChecks

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/oauth2/userinfo", self.handle), web.post("/oauth2/userinfo", self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with the claims that the scope allows. May raise OAuthError, StoreUnavailable."""
        credentials = credentials_of(request)
        if media_type(request) == FORM and "access_token" in (await read_form(request)).fields:
            raise invalid_request("A request carries one access token.")
        proof = self.tokens.proofs.requirements(request, credentials.token)
        active = await self.tokens.admit(request, credentials, [self.issuer], proof)
        scope = active.claims["scope"]
        if "openid" not in scope.split():
            raise insufficient_scope(credentials.scheme, "openid")
        return json_response(_claims(active, scope))


def _claims(active: ActiveToken, scope: str) -> Claims:
    account = active.account
    person = Subject(
        sub=account.sub,
        username=account.username,
        auth_time=0,
        name=account.name,
        email=account.email,
    )
    return {"sub": account.sub} | claims.profile(person, scope)
