"""The third way out: a person says that somebody sent the code (RFC 8628 5.4)."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.address import rate_key
from deviceflow.core.grant import Event
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.device.decide import DecideStep
from deviceflow.pages.device.submission import DeviceRequest, DeviceRequests, Submission
from deviceflow.store.grants import Grants
from deviceflow.store.reports import Reports

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class ReportStep:
    """Reports a request that this account was shown, and denies it.

    The operator learns what the request was, and nothing of the person or the code.
    """

    reports: Reports
    requests: DeviceRequests
    grants: Grants
    decide: DecideStep
    recorder: Recorder
    audit: Audit

    async def carry_out(self, submission: Submission) -> web.Response:
        """Report, then deny. A request that was not shown yet is shown first."""
        own = await self.requests.own(submission)
        if own is not None:
            # First: if the store fails between the two steps, the button can be pressed again.
            await self._report(own, submission.sub)
        return await self.decide.carry_out(submission, Event.DENY, pressed="report")

    async def _report(self, device_request: DeviceRequest, sub: str) -> None:
        grant = device_request.grant
        name = self.grants.log_id(grant.id)
        counts = await self.reports.add(name, grant.client_id, rate_key(grant.address))
        if not counts.is_new:
            return
        if device_request.client is not None:
            self.recorder.count_client(table.CLIENT_REPORTS, grant.client_id)
        self.audit.record(
            SecurityEvent.GRANT_REPORTED,
            grant=name,
            client_id=grant.client_id,
            sub=sub,
            subject=grant.address,
        )
        log.warning(
            "grant.reported",
            grant=name,
            client_id=grant.client_id,
            address=grant.address,
            of_client=counts.of_client,
            of_address=counts.of_address,
        )
