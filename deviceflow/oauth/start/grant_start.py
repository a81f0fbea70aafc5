"""Start a grant, from plain values to its codes: the one way through, for both ways in.

1. `attempt`: what the worker's memory says, before anything that costs.
2. `terms`: which scopes and resources, for how long. It depends on the client and the request
   alone, so the lane asks for it once for all devices that send the same bytes.
3. `start`: the limits in the store, the grant, and what is counted, logged and recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from structlog.typing import FilteringBoundLogger

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.config import Settings
from deviceflow.core import user_code as codes
from deviceflow.core.client import Client
from deviceflow.core.clock import Clock
from deviceflow.core.device_description import describe
from deviceflow.core.errors import (
    OAuthError,
    invalid_scope,
    invalid_target,
    temporarily_unavailable,
    too_many_starts,
)
from deviceflow.core.messages import DeviceAuthorizationResponse
from deviceflow.core.resources import Resources
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.policy.admission import Attempt, StartAdmission, StorePressed, TooManyStarts
from deviceflow.policy.interval_control import IntervalControl
from deviceflow.policy.phishing import rules_of
from deviceflow.store.grant_records import GrantRequest
from deviceflow.store.grants import Grants

SEVERAL_RESOURCES = "The scopes belong to several resources, or to one that resource does not name."


class StartTerms(NamedTuple):
    """What a grant of a client will be.

    `scope`, `resources`: space separated. `lifetime`, `interval` in s, the interval before any
    load. `page`: the address to show. `link`: the same to end with the user code (RFC 8628 3.3.1),
    None if it must be typed. `device`: a stored `DeviceDescription`.
    """

    client: Client
    scope: str
    resources: str
    lifetime: int
    interval: int
    form: UserCodeFormat
    page: str
    link: str | None
    device: str


class Binding(NamedTuple):
    """What only this device can show later: a challenge (RFC 7636), a key (RFC 9449)."""

    code_challenge: str = ""
    dpop_jkt: str = ""


NOT_BOUND = Binding()


@dataclass(frozen=True, kw_only=True)
class GrantStart:
    """Starts grants in one worker."""

    settings: Settings
    resources: Resources
    grants: Grants
    admission: StartAdmission
    intervals: IntervalControl
    clock: Clock
    recorder: Recorder
    audit: Audit

    # Bound once: to look up how to log costs a start 4 us, even where no line is written.
    _log: FilteringBoundLogger = field(default_factory=structlog.get_logger().bind, init=False)

    async def attempt(self, client: Client, address: str) -> Attempt:
        """Return an attempt of a device at `address`, unless this worker knows a limit.

        May raise OAuthError, some time later: a flood must not come back at once.
        """
        try:
            return self.admission.attempt(client, address, self._lifetime(client))
        except (TooManyStarts, StorePressed) as reason:
            raise await self._refusal(reason, client) from None

    def terms(
        self, client: Client, scope: str | None, names: Sequence[str], user_agent: str
    ) -> StartTerms:
        """Return what a grant will be for the parameters `scope` and `resource` (RFC 8707 2).

        May raise OAuthError.
        """
        scopes, resources = self._entitlement(scope, names, client)
        is_typed = rules_of(client, self.settings).must_type
        return StartTerms(
            client=client,
            scope=" ".join(scopes),
            resources=" ".join(resources),
            lifetime=self._lifetime(client),
            interval=client.interval_s or self.settings.device.interval_s,
            form=client.user_code or self.settings.device.user_code,
            page=self.settings.verification_uri,
            link=None if is_typed else self.settings.verification_uri_complete(""),
            device=describe(user_agent).stored,
        )

    async def start(
        self, attempt: Attempt, terms: StartTerms, binding: Binding = NOT_BOUND
    ) -> DeviceAuthorizationResponse:
        """Start a grant. May raise OAuthError, StoreUnavailable."""
        client = terms.client
        interval = self.intervals.of_start(terms.interval)
        requested_at = int(self.clock())
        try:
            await self.admission.admit(attempt)
        except TooManyStarts as reason:
            raise await self._refusal(reason, client) from None
        request = GrantRequest(
            client_id=client.client_id,
            scope=terms.scope,
            requested_at=requested_at,
            address=attempt.address,
            device=terms.device,
            code_challenge=binding.code_challenge,
            dpop_jkt=binding.dpop_jkt,
            resources=terms.resources,
        )
        issued = await self.grants.issue(request, terms.form, terms.lifetime, interval)
        self._note(issued.log_id, request)
        user_code = codes.display(issued.user_code, terms.form.group)
        return DeviceAuthorizationResponse(
            device_code=issued.device_code,
            user_code=user_code,
            verification_uri=terms.page,
            verification_uri_complete=None if terms.link is None else terms.link + user_code,
            expires_in=terms.lifetime,
            interval=interval,
        )

    def _note(self, log_id: str, request: GrantRequest) -> None:
        client_id = request.client_id
        self.recorder.count(table.GRANTS_ISSUED)
        self.recorder.count_client(table.CLIENT_GRANTS, client_id)
        self._log.info(
            "grant.issued",
            grant=log_id,
            client_id=client_id,
            scope=request.scope,
            address=request.address,
        )
        self.audit.record(SecurityEvent.GRANT_STARTED, grant=log_id, client_id=client_id)

    def _lifetime(self, client: Client) -> int:
        return client.lifetime_s or self.settings.device.lifetime_s

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

    def _entitlement(
        self, scope: str | None, names: Sequence[str], client: Client
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
