"""A person enters a code: the request behind it becomes this account's own."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.core.grant import Outcome
from deviceflow.pages.device.refusals import Reason, Refusals
from deviceflow.pages.device.submission import DeviceRequest, DeviceRequests, Submission
from deviceflow.pages.redirect import see_other
from deviceflow.pages.throttle import Throttle
from deviceflow.policy.tries import Try
from deviceflow.store.grants import Grant, Grants

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class ClaimStep:
    """Looks a code up, claims its request, and leads to the page that shows it."""

    throttle: Throttle
    grants: Grants
    requests: DeviceRequests
    refusals: Refusals

    async def look_up(self, submission: Submission) -> web.Response:
        """Claim the request that the code belongs to, or lead back to the form."""
        text = submission.text
        if not self.requests.codes.read(text):
            return self._refuse(submission, Reason.UNUSABLE)
        guess = await self.throttle.code(submission.sub, submission.visitor.address, text)
        device_request = await self.requests.find(text)
        if device_request is None:
            return self._refuse(submission, Reason.UNUSABLE)
        client = device_request.client
        if submission.is_filled_in and client and not client.verification_uri_complete:
            await guess.forgive()
            return self._refuse(submission, Reason.MUST_TYPE)
        return await self.claim(submission, device_request, guess)

    async def claim(
        self, submission: Submission, device_request: DeviceRequest, guess: Try
    ) -> web.Response:
        """Make the request this account's own, and lead to the page that shows it.

        If that succeeds, `guess` was none.
        """
        visitor, grant = submission.visitor, device_request.grant
        if grant.claimed_by == submission.sub:
            await guess.forgive()
        if device_request.enabled_client is None:
            return self._refuse(submission, Reason.UNAVAILABLE)
        code = self.requests.show(device_request)
        match await self._claim_outcome(grant, submission.sub):
            case Outcome.CHANGED:
                await guess.forgive()
                return see_other(visitor.request, "/device/confirm", code)
            case Outcome.REFUSED if grant.claimed_by == submission.sub:
                return see_other(visitor.request, "/device/done", code)
            case Outcome.REFUSED:
                return self._refuse(submission, Reason.CANCELLED)
            case Outcome.CLAIMED:
                name = self.grants.log_id(grant.id)
                log.warning("grant.claimed_by_another", grant=name, client_id=grant.client_id)
                return self._refuse(submission, Reason.CLAIMED)
            case _:
                return self._refuse(submission, Reason.UNUSABLE)

    async def _claim_outcome(self, grant: Grant, sub: str) -> Outcome:
        if grant.claimed_by not in {None, sub}:
            return Outcome.CLAIMED
        return await self.grants.claim(grant, sub)

    def _refuse(self, submission: Submission, reason: Reason) -> web.Response:
        return self.refusals.lead(submission.visitor, reason, submission.text)
