"""POST /oauth2/device_authorization (RFC 8628 section 3.1 and 3.2)."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.callers import Callers
from deviceflow.config import Settings
from deviceflow.core import pkce
from deviceflow.core import user_code as codes
from deviceflow.core.client import Client
from deviceflow.core.clock import Clock
from deviceflow.core.device_description import describe
from deviceflow.core.dpop import is_thumbprint
from deviceflow.core.errors import (
    OAuthError,
    invalid_dpop_proof,
    invalid_request,
    invalid_scope,
    invalid_target,
    no_device_grant,
    temporarily_unavailable,
    too_many_starts,
    unauthorized_client,
)
from deviceflow.core.messages import DeviceAuthorizationResponse
from deviceflow.core.resources import Resources
from deviceflow.oauth.answers import json_response
from deviceflow.oauth.clients.authentication import ClientAuthentication
from deviceflow.oauth.clients.refusals import RefusalLog
from deviceflow.oauth.dpop_proofs import DPoPProofs
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.policy.admission import StartAdmission, StorePressed, TooManyStarts
from deviceflow.policy.interval_control import IntervalControl
from deviceflow.policy.phishing import ClientRules, rules_of
from deviceflow.store.grants import GrantRequest, Grants

OTHER_NETWORK = "This client may not ask for codes from this network."
SEVERAL_RESOURCES = "The scopes belong to several resources, or to one that resource does not name."

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class DeviceAuthorizationEndpoint:
    """The endpoint that starts a grant."""

    settings: Settings
    authentication: ClientAuthentication
    refusals: RefusalLog
    proofs: DPoPProofs
    resources: Resources
    grants: Grants
    admission: StartAdmission
    intervals: IntervalControl
    callers: Callers
    clock: Clock
    recorder: Recorder
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post("/oauth2/device_authorization", self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with the codes. May raise OAuthError, StoreUnavailable."""
        _, parameters, client, names = await self.authentication.read(request)
        address = self.callers.address(request)
        must_type = self._admit(request, client, address).must_type
        lifetime = client.lifetime_s or self.settings.device.lifetime_s
        # Before anything that costs: a flood is refused from memory.
        try:
            attempt = self.admission.attempt(client, address, lifetime)
        except (TooManyStarts, StorePressed) as reason:
            raise await self._refusal(reason, client) from None
        scopes, resources = self._entitlement(parameters.get("scope"), names, client)

        form = client.user_code or self.settings.device.user_code
        interval = self.intervals.of_start(client.interval_s or self.settings.device.interval_s)
        grant_request = GrantRequest(
            client_id=client.client_id,
            scope=" ".join(scopes),
            requested_at=int(self.clock()),
            address=address,
            device=describe(request.headers.get("User-Agent", "")).stored,
            code_challenge=_code_challenge(parameters, client),
            dpop_jkt=self._key(request, parameters, client),
            resources=" ".join(resources),
        )
        try:
            await self.admission.admit(attempt)
        except TooManyStarts as reason:
            raise await self._refusal(reason, client) from None
        issued = await self.grants.issue(grant_request, form, lifetime, interval)
        self.recorder.count(table.GRANTS_ISSUED)
        self.recorder.count_client(table.CLIENT_GRANTS, client.client_id)
        log.info(
            "grant.issued",
            grant=issued.log_id,
            client_id=client.client_id,
            scope=grant_request.scope,
            address=grant_request.address,
        )
        self.audit.record(
            SecurityEvent.GRANT_STARTED, grant=issued.log_id, client_id=client.client_id
        )

        user_code = codes.display(issued.user_code, form.group)
        complete = self.settings.verification_uri_complete(user_code)
        return json_response(
            DeviceAuthorizationResponse(
                device_code=issued.device_code,
                user_code=user_code,
                verification_uri=self.settings.verification_uri,
                verification_uri_complete=None if must_type else complete,
                expires_in=lifetime,
                interval=interval,
            )
        )

    async def _refusal(self, reason: TooManyStarts | StorePressed, client: Client) -> OAuthError:
        """Return the error that the device receives for the refusal of a limit, some time later."""
        await self.admission.hold_back()
        if isinstance(reason, StorePressed):
            self._record_limit("start.store", client)
            return temporarily_unavailable(reason.wait_s)
        self._record_limit(f"start.{reason.limit}", client)
        by_address = reason.limit in {"network", "address"}
        return too_many_starts(reason.wait_s, by_address=by_address)

    def _record_limit(self, limit: str, client: Client) -> None:
        self.audit.record(
            SecurityEvent.LIMIT_REFUSED,
            outcome="failure",
            limit=limit,
            client_id=client.client_id,
        )

    def _admit(self, request: web.Request, client: Client, address: str) -> ClientRules:
        """Return the client's rules, if it may start a grant from `address`."""
        rules = rules_of(client, self.settings)
        if not rules.uses_device_grant:
            self._note(request, client, "may not use the device authorization grant")
            raise no_device_grant()
        if not rules.may_start(address):
            self._note(request, client, "is not in one of its start_networks")
            raise unauthorized_client(OTHER_NETWORK)
        return rules

    def _note(self, request: web.Request, client: Client, reason: str) -> None:
        self.refusals.note(request, client.client_id, reason, known=True)

    def _entitlement(
        self, scope: str | None, names: list[str], client: Client
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the scopes and the resources of the grant (RFC 8707 2)."""
        requested = client.scopes_for(scope)
        if requested is None:
            raise invalid_scope(client.refused_scopes(scope or ""))
        resources = self.resources.named(names, client)
        if resources is None:
            raise invalid_target()
        scopes = self.resources.scopes(requested, resources, are_default=not scope)
        if scopes is None:
            raise OAuthError("invalid_scope", SEVERAL_RESOURCES)
        return scopes, resources

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
