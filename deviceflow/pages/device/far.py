"""A device that is too far away from the person, for a client that refuses that: it is denied."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.grant import Event, Outcome
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.device.refusals import Reason, Refusals
from deviceflow.pages.device.submission import DeviceRequest, DeviceRequests, Submission
from deviceflow.pages.redirect import see_other
from deviceflow.store.grants import Grants

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class FarStep:
    """Denies a request that the account has claimed, and leads to the page that says why."""

    grants: Grants
    requests: DeviceRequests
    refusals: Refusals
    recorder: Recorder
    audit: Audit

    async def carry_out(
        self, submission: Submission, device_request: DeviceRequest
    ) -> web.Response:
        """Deny, unless the request is answered already: then show how it ended."""
        grant, visitor = device_request.grant, submission.visitor
        outcome = await self.grants.decide(
            grant, Event.DENY, submission.person.subject(), page=submission.page
        )
        self.recorder.count(table.DECIDED, Event.DENY, outcome)
        if outcome is not Outcome.CHANGED:
            return see_other(visitor.request, "/device/done", self.requests.show(device_request))
        self.recorder.count(table.APPROVALS_REFUSED, "far")
        name = self.grants.log_id(grant.id)
        self.audit.record(
            SecurityEvent.GRANT_DENIED,
            grant=name,
            client_id=grant.client_id,
            sub=submission.sub,
            way="page",
            reason="far",
        )
        log.warning(
            "grant.too_far",
            grant=name,
            client_id=grant.client_id,
            address=grant.address,
        )
        return self.refusals.refuse(submission, Reason.FAR)
