"""GET and POST /oauth2/userinfo (OpenID Connect Core 5.3; RFC 6750; RFC 9449 7)."""

from dataclasses import dataclass
from hmac import compare_digest

from aiohttp import web

from deviceflow.core import claims
from deviceflow.core.claims import Claims, Subject
from deviceflow.core.errors import OAuthError, invalid_request
from deviceflow.core.public_key import ASYMMETRIC
from deviceflow.oauth.answers import json_response
from deviceflow.oauth.dpop_proofs import DPoPProofs
from deviceflow.oauth.form import FORM, read_form
from deviceflow.oauth.presented_tokens import ActiveToken, PresentedTokens

_ALGORITHMS = " ".join(ASYMMETRIC)


@dataclass(frozen=True, kw_only=True)
class UserinfoEndpoint:
    """The endpoint with the claims about the person that approved a device."""

    presented: PresentedTokens
    proofs: DPoPProofs

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/oauth2/userinfo", self.handle), web.post("/oauth2/userinfo", self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with the claims that the scope allows. May raise OAuthError, StoreUnavailable."""
        scheme, token = _presented_token(request)
        if request.content_type == FORM and "access_token" in (await read_form(request)).fields:
            raise invalid_request("A request carries one access token.")
        active = await self.presented.active_here(token)
        if active is None:
            raise _challenge("invalid_token", 401, scheme)
        await self._check_possession(request, scheme, token, active)
        scope = active.claims["scope"]
        if "openid" not in scope.split():
            raise _challenge("insufficient_scope", 403, scheme)
        return json_response(_claims(active, scope))

    async def _check_possession(
        self, request: web.Request, scheme: str, token: str, active: ActiveToken
    ) -> None:
        """Check the key of a bound token, which is not a bearer token (RFC 9449 7.1, 7.2)."""
        bound_to = active.claims.get("cnf", {}).get("jkt")
        if bound_to is None and scheme == "bearer":
            return
        if bound_to is None or scheme != "dpop":
            raise _challenge("invalid_token", 401, scheme)
        try:
            possession = self.proofs.read(request, token)
            if possession is None or not compare_digest(possession.jkt, bound_to):
                raise _challenge("invalid_token", 401, scheme)
            await self.proofs.spend(possession)
        except OAuthError as error:
            raise _challenge(error.code, 401, scheme, error.headers) from None


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


def _presented_token(request: web.Request) -> tuple[str, str]:
    """Return the scheme and the token of the Authorization header (RFC 6750 2.1).

    A token in the address is refused (RFC 6750 2.3).
    """
    if "access_token" in request.query:
        raise invalid_request("A token does not belong into the address.")
    headers = request.headers.getall("Authorization", [])
    if not headers:
        raise _bare_challenge()
    scheme, _, token = headers[0].partition(" ")
    scheme, token = scheme.lower(), token.strip()
    if len(headers) > 1:
        raise invalid_request("A request carries one access token.")
    if scheme not in {"bearer", "dpop"} or not token:
        raise _bare_challenge()
    return scheme, token


def _bare_challenge() -> OAuthError:
    """Make the answer to a request without a token: it gets no error code (RFC 6750 3)."""
    header = {"WWW-Authenticate": f'Bearer realm="deviceflow", DPoP algs="{_ALGORITHMS}"'}
    return OAuthError("", status=401, headers=header)


def _challenge(
    code: str, status: int, scheme: str, headers: dict[str, str] | None = None
) -> OAuthError:
    name = "DPoP" if scheme == "dpop" else "Bearer"
    challenge = {"WWW-Authenticate": f'{name} realm="deviceflow", error="{code}"'}
    text = "The access token cannot be used for this."
    return OAuthError(code, text, status=status, headers=challenge | (headers or {}))
