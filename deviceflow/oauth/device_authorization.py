"""POST /oauth2/device_authorization (RFC 8628 section 3.1 and 3.2)."""

import time
from collections.abc import Callable

import structlog
from aiohttp import web

from deviceflow.callers import Callers
from deviceflow.config import Settings
from deviceflow.core import pkce
from deviceflow.core import user_code as codes
from deviceflow.core.client import Client
from deviceflow.core.dpop import is_thumbprint
from deviceflow.core.errors import (
    OAuthError,
    invalid_dpop_proof,
    invalid_request,
    invalid_scope,
    invalid_target,
)
from deviceflow.core.messages import DeviceAuthorizationResponse
from deviceflow.core.resources import Resources
from deviceflow.oauth.answers import answer
from deviceflow.oauth.client_auth import ClientAuthentication
from deviceflow.oauth.proofs import Proofs
from deviceflow.store.grants import GrantRequest, Grants

USER_AGENT_KEPT = 64
"""Bytes; a longer value would cost every grant a third more memory in the store."""

SEVERAL_RESOURCES = "The scopes belong to several resources, or to one that resource does not name."

log = structlog.get_logger()


class DeviceAuthorizationEndpoint:
    """Starts a grant."""

    def __init__(
        self,
        settings: Settings,
        *,
        authentication: ClientAuthentication,
        proofs: Proofs,
        grants: Grants,
        callers: Callers,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._device = settings.device
        self._resources = Resources(settings.issuer_url, settings.resources)
        self._verification_uri = f"{settings.issuer_url}/device"
        self._authentication = authentication
        self._proofs = proofs
        self._grants = grants
        self._callers = callers
        self._clock = clock

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with the codes. Raises OAuthError, StoreUnavailable."""
        _, parameters, client, resources = await self._authentication.read(request)
        scopes, named = self._entitlement(parameters.get("scope"), resources, client)

        form = client.user_code or self._device.user_code
        lifetime = client.lifetime_s or self._device.lifetime_s
        interval = client.interval_s or self._device.interval_s
        wanted = GrantRequest(
            client_id=client.client_id,
            scope=" ".join(scopes),
            requested_at=int(self._clock()),
            address=self._callers.address(request),
            user_agent=_user_agent(request),
            code_challenge=_code_challenge(parameters, client),
            dpop_jkt=self._key(request, parameters, client),
            resources=" ".join(named),
        )
        issued = await self._grants.issue(wanted, form, lifetime, interval)
        log.info("grant.issued", client_id=client.client_id, scope=wanted.scope)

        shown = codes.display(issued.user_code, form.group)
        complete = f"{self._verification_uri}?user_code={shown}"
        return answer(
            DeviceAuthorizationResponse(
                device_code=issued.device_code,
                user_code=shown,
                verification_uri=self._verification_uri,
                verification_uri_complete=complete if client.verification_uri_complete else None,
                expires_in=lifetime,
                interval=interval,
            )
        )

    def _entitlement(
        self, wanted: str | None, resources: list[str], client: Client
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The scopes of the grant, and the resources that were named (RFC 8707 2)."""
        asked = client.scopes_for(wanted)
        if asked is None:
            raise invalid_scope()
        named = self._resources.named(resources, client)
        if named is None:
            raise invalid_target()
        scopes = self._resources.scopes(asked, named, are_default=not wanted)
        if scopes is None:
            raise OAuthError("invalid_scope", SEVERAL_RESOURCES)
        return scopes, named

    def _key(self, request: web.Request, parameters: dict[str, str], client: Client) -> str:
        """The key that the tokens will be bound to: `dpop_jkt`, or the one behind a proof.

        RFC 9449 10 has this for authorization requests; here it makes a device code that was
        stolen worthless from the start.
        """
        jkt = parameters.get("dpop_jkt", "")
        if jkt and not is_thumbprint(jkt):
            raise invalid_request("The parameter dpop_jkt is not a SHA-256 thumbprint.")
        possession = self._proofs.read(request)
        if possession is not None:
            if jkt and jkt != possession.jkt:
                raise invalid_dpop_proof("The DPoP proof is of another key than dpop_jkt.")
            jkt = possession.jkt
        if not jkt and client.dpop == "required":
            raise invalid_request("This client has to send dpop_jkt or a DPoP proof.")
        return jkt


def _code_challenge(parameters: dict[str, str], client: Client) -> str:
    """RFC 7636 4.3, for the device grant; plain, which hides nothing, is not offered."""
    challenge = parameters.get("code_challenge", "")
    method = parameters.get("code_challenge_method", "")
    if not challenge:
        if client.pkce == "required" or method:
            raise invalid_request("The parameter code_challenge is missing.")
        return ""
    if method != pkce.METHOD or not pkce.is_challenge(challenge):
        raise invalid_request("The code_challenge has to be of the method S256.")
    return challenge


def _user_agent(request: web.Request) -> str:
    text = request.headers.get("User-Agent", "").encode(errors="ignore")[:USER_AGENT_KEPT]
    readable = text.decode(errors="ignore")
    return "".join(character for character in readable if character.isprintable())
