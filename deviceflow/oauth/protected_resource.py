"""Requests with an access token (RFC 6750; RFC 9449 7): how they are checked and refused."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import NamedTuple

from aiohttp import web

from deviceflow.core.dpop import ProofRequirements
from deviceflow.core.errors import OAuthError, invalid_request
from deviceflow.core.public_key import ASYMMETRIC
from deviceflow.oauth.dpop_proofs import DPoPProofs
from deviceflow.oauth.presented_tokens import ActiveToken, PresentedTokens

_ALGORITHMS = " ".join(ASYMMETRIC)
_REFUSED = "The access token cannot be used for this."
_UNKNOWN_ADDRESS = "No DPoP proof can be checked here, because the request's address is unknown."


class Credentials(NamedTuple):
    """What the Authorization header has. `scheme`: "bearer" or "dpop"."""

    scheme: str
    token: str


@dataclass(frozen=True, kw_only=True)
class TokenChecks:
    """The checks of an access token that comes with a request."""

    presented: PresentedTokens
    proofs: DPoPProofs

    async def admit(
        self,
        request: web.Request,
        credentials: Credentials,
        audience: Collection[str],
        proof: ProofRequirements | None,
    ) -> ActiveToken:
        """Return the token if it may be used now, at one of `audience`.

        `proof`: what the DPoP proof of a bound token must match. With None, bound tokens are
        refused. May raise OAuthError, StoreUnavailable.
        """
        active = await self.presented.active(credentials.token, audience)
        if active is None:
            raise token_refusal("invalid_token", 401, credentials.scheme)
        await self._check_possession(request, credentials.scheme, active, proof)
        return active

    async def _check_possession(
        self,
        request: web.Request,
        scheme: str,
        active: ActiveToken,
        proof: ProofRequirements | None,
    ) -> None:
        """Check the key of a bound token, which is not a bearer token (RFC 9449 7.1, 7.2)."""
        bound_to = active.claims.get("cnf", {}).get("jkt")
        if bound_to is None and scheme == "bearer":
            return
        if bound_to is None or scheme != "dpop":
            raise token_refusal("invalid_token", 401, scheme)
        if proof is None:
            raise token_refusal("invalid_token", 401, scheme, _UNKNOWN_ADDRESS)
        try:
            possession = self.proofs.read(request, proof)
            if possession is None or not compare_digest(possession.jkt, bound_to):
                raise token_refusal("invalid_token", 401, scheme)
            await self.proofs.spend(possession)
        except OAuthError as error:
            raise token_refusal(error.code, 401, scheme, headers=error.headers) from None


def credentials_of(request: web.Request) -> Credentials:
    """Return the scheme and the token of the Authorization header (RFC 6750 2.1).

    A token in the address is refused (RFC 6750 2.3). May raise OAuthError.
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
    return Credentials(scheme, token)


def insufficient_scope(scheme: str, scope: str) -> OAuthError:
    """Make the error for a token that lacks a part of `scope`, which are scope-tokens (3.1)."""
    error = token_refusal("insufficient_scope", 403, scheme)
    error.headers["WWW-Authenticate"] += f', scope="{scope}"'
    return error


def token_refusal(
    code: str,
    status: int,
    scheme: str,
    reason: str = "",
    headers: Mapping[str, str] | None = None,
) -> OAuthError:
    """Make the error for a token that cannot be used (RFC 6750 3).

    `reason`: a text of this server, without quotes, for the challenge too, because a proxy may
    pass on nothing else.
    """
    name = "DPoP" if scheme == "dpop" else "Bearer"
    value = f'{name} realm="deviceflow", error="{code}"'
    if reason:
        value += f', error_description="{reason}"'
    all_headers = {"WWW-Authenticate": value} | dict(headers or {})
    return OAuthError(code, reason or _REFUSED, status=status, headers=all_headers)


def _bare_challenge() -> OAuthError:
    """Make the answer to a request without a token: it gets no error code (RFC 6750 3)."""
    header = {"WWW-Authenticate": f'Bearer realm="deviceflow", DPoP algs="{_ALGORITHMS}"'}
    return OAuthError("", status=401, headers=header)
