"""A person enters a code: the request behind it becomes this account's own."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.core.grant import Outcome, State
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
            return self.refusals.unreadable(submission.visitor, text)
        guess = await self.throttle.code(
            submission.sub, submission.visitor.address, is_proven=submission.is_proven
        )
        device_request = await self.requests.find(text)
        if device_request is None:
            return self._refuse(submission, Reason.UNUSABLE)
        if submission.is_filled_in and _must_be_typed(device_request):
            await guess.once(_typing(device_request.grant))
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
                await guess.for_cause(_typing(grant)).forgive()
                await self.throttle.note_right_code(submission.sub)
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


def _must_be_typed(device_request: DeviceRequest) -> bool:
    """Say whether the request is free to be claimed, but only by typing its code (RFC 8628 5.4).

    Otherwise a code from a link gets the same answer, and costs as much, as a typed one: to ask for
    typing would tell for free that somebody else has a request. An account that has claimed
    the request has typed its code before.
    """
    client, grant = device_request.enabled_client, device_request.grant
    if client is None or client.verification_uri_complete:
        return False
    return grant.claimed_by is None and grant.state is State.PENDING


def _typing(grant: Grant) -> str:
    """Name the try that a code from a link is until the person types it.

    It stays counted until this account's own entry turns out right. A stranger, who could have
    called any guess filled in, pays for a hit as for every other guess.
    """
    return f"typing-{grant.id:x}"
