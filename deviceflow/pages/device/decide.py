"""The third step: a person approves or denies the request (RFC 8628 3.3)."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.core.grant import Event, Outcome
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.device.claim import ClaimStep
from deviceflow.pages.device.refusals import Reason, Refusals
from deviceflow.pages.device.submission import DeviceRequest, DeviceRequests, Submission
from deviceflow.pages.redirect import see_other
from deviceflow.pages.throttle import Throttle
from deviceflow.store.grants import Grants

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class DecideStep:
    """Carries out decisions on a request that the account has claimed, and on no other."""

    throttle: Throttle
    grants: Grants
    requests: DeviceRequests
    claim: ClaimStep
    refusals: Refusals
    recorder: Recorder

    async def carry_out(self, submission: Submission, event: Event) -> web.Response:
        """Decide, or show the request first if this account has not been shown it."""
        own = await self.requests.own(submission)
        if own is not None:
            return await self._decide(submission, own, event)
        text = submission.text
        if not self.requests.codes.read(text):
            return self.refusals.lead(submission.visitor, Reason.EXPIRED, text)
        # Not known to be this account's: then it is a guess, and counts as one.
        guess = await self.throttle.code(submission.sub, submission.visitor.address)
        device_request = await self.requests.find(text)
        if device_request is None:
            return self.refusals.lead(submission.visitor, Reason.EXPIRED, text)
        return await self.claim.claim(submission, device_request, guess)

    async def _decide(
        self, submission: Submission, device_request: DeviceRequest, event: Event
    ) -> web.Response:
        """Change the grant, and lead to its end. A client that was switched off can be denied.

        The last page reads what became of the grant. It learns which button was pressed, because a
        button that came second did nothing, and the page has to say that.
        """
        grant, refuse = device_request.grant, self.refusals.lead
        if device_request.enabled_client is None and event is Event.APPROVE:
            return refuse(submission.visitor, Reason.UNAVAILABLE, submission.text)
        person, address = submission.person, submission.visitor.address
        outcome = await self.grants.decide(grant, event, person.subject(), address)
        self.recorder.count(table.DECIDED, event, outcome)
        name, client_id = self.grants.log_id(grant.id), grant.client_id
        log.info("grant.decided", grant=name, wanted=event, outcome=outcome, client_id=client_id)
        if outcome is Outcome.CLAIMED:
            return refuse(submission.visitor, Reason.CLAIMED, submission.text)
        code, request = self.requests.show(device_request), submission.visitor.request
        return see_other(request, "/device/done", code, pressed=event)
