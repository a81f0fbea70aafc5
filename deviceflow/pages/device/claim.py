"""A person enters a code: the request behind it becomes this account's own."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.grant import Outcome, State
from deviceflow.pages.device.approval_check import ApprovalCheck
from deviceflow.pages.device.far import FarStep
from deviceflow.pages.device.refusals import Reason, Refusals
from deviceflow.pages.device.submission import DeviceRequest, DeviceRequests, Submission
from deviceflow.pages.redirect import see_other
from deviceflow.pages.throttle import Throttle
from deviceflow.policy.tries import Try
from deviceflow.store.grant_records import Grant
from deviceflow.store.grants import Grants

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class ClaimStep:
    """Looks a code up, claims its request, and leads to the page that shows it."""

    throttle: Throttle
    grants: Grants
    requests: DeviceRequests
    refusals: Refusals
    audit: Audit
    check: ApprovalCheck
    far: FarStep

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
            self.audit.record(SecurityEvent.CODE_WRONG, outcome="failure", sub=submission.sub)
            return self.refusals.refuse(submission, Reason.UNUSABLE)
        is_typed = not submission.is_filled_in
        return await self.claim(submission, device_request, guess, is_typed=is_typed)

    async def claim(
        self, submission: Submission, device_request: DeviceRequest, guess: Try, *, is_typed: bool
    ) -> web.Response:
        """Make the request this account's own, and lead to the page that shows it.

        If that succeeds, `guess` is taken back. `is_typed`: whether the person has typed the code.
        """
        visitor, grant = submission.visitor, device_request.grant
        if grant.claimed_by == submission.sub:
            await guess.forgive()
        reason = self._reason(device_request, visitor.address, is_typed=is_typed)
        if reason is not None:
            if reason is Reason.MUST_TYPE:
                await guess.once(_typing(grant))
            return self.refusals.refuse(submission, reason)
        code = self.requests.show(device_request)
        match await self._claim_outcome(grant, submission.sub):
            case Outcome.CHANGED:
                await guess.forgive()
                await guess.for_cause(_typing(grant)).forgive()
                await self.throttle.note_right_code(submission.sub)
                return await self._lead_on(submission, device_request)
            case Outcome.REFUSED if grant.claimed_by == submission.sub:
                return see_other(visitor.request, "/device/done", code)
            case Outcome.REFUSED:
                return self.refusals.refuse(submission, Reason.CANCELLED)
            case Outcome.CLAIMED:
                name = self.grants.log_id(grant.id)
                log.warning("grant.claimed_by_another", grant=name, client_id=grant.client_id)
                self.audit.record(
                    SecurityEvent.GRANT_CLAIMED_BY_ANOTHER,
                    outcome="failure",
                    grant=name,
                    client_id=grant.client_id,
                    sub=submission.sub,
                )
                return self.refusals.refuse(submission, Reason.CLAIMED)
            case _:
                return self.refusals.refuse(submission, Reason.UNUSABLE)

    async def _lead_on(self, submission: Submission, device_request: DeviceRequest) -> web.Response:
        """Lead to the question, or deny a device that is too far away to ask about it."""
        client, visitor = device_request.enabled_client, submission.visitor
        if client is not None and self.check.rules(client).if_far == "refuse":
            grant, person = device_request.grant, submission.person
            if (await self.check.look(visitor, person, grant, client)).far == "refuse":
                return await self.far.carry_out(submission, device_request)
        code = self.requests.show(device_request)
        return see_other(visitor.request, "/device/confirm", code)

    async def _claim_outcome(self, grant: Grant, sub: str) -> Outcome:
        if grant.claimed_by not in {None, sub}:
            return Outcome.CLAIMED
        return await self.grants.claim(grant, sub)

    def _reason(
        self, device_request: DeviceRequest, address: str, *, is_typed: bool
    ) -> Reason | None:
        """Say why a person at `address` cannot claim the request, None if they can.

        A code has to be typed only while the request is free (RFC 8628 5.4). Otherwise a code from
        a link gets the same answer, and costs as much, as a typed one: to ask for typing would tell
        for free that somebody else has a request. An account that has claimed the request has typed
        its code before.
        """
        client, grant = device_request.enabled_client, device_request.grant
        if client is None:
            return Reason.UNAVAILABLE
        if grant.state is not State.PENDING:
            return None
        rules = self.check.rules(client)
        if rules.must_type and not is_typed and grant.claimed_by is None:
            return Reason.MUST_TYPE
        return None if rules.may_approve(address) else Reason.OUTSIDE


def _typing(grant: Grant) -> str:
    """Name the try that a code from a link is until the person types it.

    It stays counted until this account's own entry turns out right. A stranger, who could have
    called any guess filled in, pays for a hit as for every other guess.
    """
    return f"typing-{grant.id:x}"
