"""POST /oauth2/device_authorization (RFC 8628 section 3.1 and 3.2)."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.callers import Callers
from deviceflow.config import Settings
from deviceflow.core import pkce
from deviceflow.core.client import Client
from deviceflow.core.dpop import is_thumbprint
from deviceflow.core.errors import (
    invalid_dpop_proof,
    invalid_request,
    no_device_grant,
    unauthorized_client,
)
from deviceflow.oauth.answers import json_response
from deviceflow.oauth.clients.authentication import ClientAuthentication
from deviceflow.oauth.clients.refusals import RefusalLog
from deviceflow.oauth.dpop_proofs import DPoPProofs
from deviceflow.oauth.start.grant_start import Binding, GrantStart
from deviceflow.policy.phishing import rules_of

OTHER_NETWORK = "This client may not ask for codes from this network."


@dataclass(frozen=True, kw_only=True)
class DeviceAuthorizationEndpoint:
    """The endpoint that starts a grant, for every request that the lane leaves."""

    settings: Settings
    authentication: ClientAuthentication
    refusals: RefusalLog
    proofs: DPoPProofs
    starts: GrantStart
    callers: Callers

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post("/oauth2/device_authorization", self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with the codes. May raise OAuthError, StoreUnavailable."""
        _, parameters, client, names = await self.authentication.read(request)
        address = self.callers.address(request)
        self._admit(request, client, address)
        # Before anything that costs: a flood is refused from memory.
        attempt = await self.starts.attempt(client, address)
        user_agent = request.headers.get("User-Agent", "")
        terms = self.starts.terms(client, parameters.get("scope"), names, user_agent)
        binding = Binding(
            code_challenge=_code_challenge(parameters, client),
            dpop_jkt=self._key(request, parameters, client),
        )
        return json_response(await self.starts.start(attempt, terms, binding))

    def _admit(self, request: web.Request, client: Client, address: str) -> None:
        """Refuse a client that may not start a grant from `address`."""
        rules = rules_of(client, self.settings)
        if not rules.uses_device_grant:
            self._note(request, client, "may not use the device authorization grant")
            raise no_device_grant()
        if not rules.may_start(address):
            self._note(request, client, "is not in one of its start_networks")
            raise unauthorized_client(OTHER_NETWORK)

    def _note(self, request: web.Request, client: Client, reason: str) -> None:
        self.refusals.note(request, client.client_id, reason, known=True)

    def _key(self, request: web.Request, parameters: dict[str, str], client: Client) -> str:
        """Return the key to bind the tokens to: `dpop_jkt`, or the key of a DPoP proof.

        RFC 9449 10 has this for authorization requests. Here it makes a stolen device code
        useless from the start.
        """
        jkt = parameters.get("dpop_jkt", "")
        if jkt and not is_thumbprint(jkt):
            raise invalid_request("The parameter dpop_jkt is not a SHA-256 thumbprint.")
        possession = self.proofs.read(request)
        if possession is not None:
            if jkt and jkt != possession.jkt:
                raise invalid_dpop_proof("The DPoP proof is of another key than dpop_jkt.")
            jkt = possession.jkt
        if not jkt and client.dpop == "required":
            raise invalid_request("This client has to send dpop_jkt or a DPoP proof.")
        return jkt


def _code_challenge(parameters: dict[str, str], client: Client) -> str:
    """Return the challenge (RFC 7636 4.3). The method plain is refused: it hides nothing."""
    challenge = parameters.get("code_challenge", "")
    method = parameters.get("code_challenge_method", "")
    if not challenge:
        if client.pkce == "required" or method:
            raise invalid_request("The parameter code_challenge is missing.")
        return ""
    if method != pkce.METHOD or not pkce.is_challenge(challenge):
        raise invalid_request("The code_challenge has to be of the method S256.")
    return challenge
