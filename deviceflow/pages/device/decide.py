"""The third step: a person approves or denies the request (RFC 8628 3.3)."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import DECISION_EVENTS, SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.client import Client
from deviceflow.core.grant import Event, Outcome, State
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.device import step_up
from deviceflow.pages.device.approval_check import ApprovalCheck
from deviceflow.pages.device.claim import ClaimStep
from deviceflow.pages.device.far import FarStep
from deviceflow.pages.device.refusals import Reason, Refusals
from deviceflow.pages.device.submission import (
    Choice,
    DeviceRequest,
    DeviceRequests,
    Submission,
)
from deviceflow.pages.redirect import see_other
from deviceflow.pages.throttle import Throttle
from deviceflow.policy.rules import approval_counts
from deviceflow.policy.tries import TooManyTries, Try
from deviceflow.store.grant_records import Grant
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
    check: ApprovalCheck
    far: FarStep
    audit: Audit

    async def carry_out(
        self, submission: Submission, event: Event, pressed: str = ""
    ) -> web.Response:
        """Decide, or show the request first if this account has not been shown it.

        `pressed`: the button, if it has another name than the event.
        """
        own = await self.requests.own(submission)
        if own is not None:
            return await self._decide(submission, own, event, pressed or event)
        text = submission.text
        if not self.requests.codes.read(text):
            return self.refusals.refuse(submission, Reason.EXPIRED)
        # Not known to be this account's: then it is a guess, and counts as one.
        guess = await self.throttle.code(submission.sub, submission.visitor.address)
        device_request = await self.requests.find(text)
        if device_request is None:
            self.audit.record(SecurityEvent.CODE_WRONG, outcome="failure", sub=submission.sub)
            return self.refusals.refuse(submission, Reason.EXPIRED)
        # A form with a decision may come from anywhere: its code was not typed at the code page.
        return await self.claim.claim(submission, device_request, guess, is_typed=False)

    async def _decide(
        self, submission: Submission, device_request: DeviceRequest, event: Event, pressed: str
    ) -> web.Response:
        """Change the grant, and lead to its end. A client that was switched off can be denied.

        The last page reads what became of the grant. It learns which button was pressed, because a
        button that came second did nothing, and the page has to say that.
        """
        counted: Try | None = None
        if event is Event.APPROVE:
            if refusal := await self._refusal(submission, device_request):
                return refusal
            try:
                counted = await self._count(submission, device_request)
            except TooManyTries:
                return self.refusals.refuse(submission, Reason.TOO_MANY)
        outcome = await self._change(submission, device_request, event)
        if counted is not None and outcome is not Outcome.CHANGED:
            await self._forgive(counted, submission)
        if outcome is Outcome.CLAIMED:
            return self.refusals.refuse(submission, Reason.CLAIMED)
        code, request = self.requests.show(device_request), submission.visitor.request
        return see_other(request, "/device/done", code, pressed=pressed)

    async def _change(
        self, submission: Submission, device_request: DeviceRequest, event: Event
    ) -> Outcome:
        grant, scope = device_request.grant, None
        if event is Event.APPROVE:
            scope = _narrowed(submission.choice, device_request)
        subject = submission.person.subject()
        outcome = await self.grants.decide(grant, event, subject, scope, submission.page)
        self.recorder.count(table.DECIDED, event, outcome)
        name = self.grants.log_id(grant.id)
        if outcome is Outcome.CHANGED and grant.state is State.PENDING:  # not sent again
            self.audit.record(
                DECISION_EVENTS[event],
                grant=name,
                client_id=grant.client_id,
                sub=submission.sub,
                way="page",
            )
        log.info(
            "grant.decided",
            grant=name,
            wanted=event,
            outcome=outcome,
            client_id=grant.client_id,
            **({} if scope is None else {"scope": scope}),
        )
        return outcome

    async def _count(self, submission: Submission, device_request: DeviceRequest) -> Try | None:
        """Count an approval, if it is the first of its grant. May raise TooManyTries."""
        grant, client = device_request.grant, device_request.enabled_client
        if client is None or grant.state is not State.PENDING:
            return None
        of_all = self.check.settings.phishing.max_approvals_per_hour
        of_client = self.check.rules(client).max_approvals_per_hour
        counts = approval_counts(submission.sub, client.client_id, of_all, of_client)
        name = self.grants.log_id(grant.id)
        return await self.throttle.approval(counts, name, submission.visitor.address)

    async def _forgive(self, counted: Try, submission: Submission) -> None:
        """Take back the count of an approval that changed nothing.

        The same form may have come twice, and the device may have its tokens. Then the count stays:
        it is that of the first form.
        """
        own = await self.requests.own(submission)
        if own is None or own.grant.state not in {State.APPROVED, State.REDEEMED}:
            await counted.forgive()

    async def _refusal(
        self, submission: Submission, device_request: DeviceRequest
    ) -> web.Response | None:
        """Lead to the page that says why this form approves nothing; None if it may."""
        client, visitor = device_request.enabled_client, submission.visitor
        if client is None:
            return self.refusals.refuse(submission, Reason.UNAVAILABLE)
        code = self.requests.show(device_request)
        # Here, and not only on the page: a form can be kept, and a setting can change.
        grant = device_request.grant
        found = await self.check.look(visitor, submission.person, grant, client)
        if found.is_outside:
            return self.refusals.refuse(submission, Reason.OUTSIDE)
        if found.far == "refuse" and grant.state is State.PENDING:
            return await self.far.carry_out(submission, device_request)
        if found.lacks is not None:
            self.recorder.count(table.APPROVALS_REFUSED, "sign_in")
            log.info("grant.sign_in_not_enough", lacks=found.lacks, client_id=client.client_id)
            return see_other(visitor.request, step_up.STEP_UP_PATH, code)
        notice = _fault(submission.choice, client, grant)
        typed = self.requests.codes.read(submission.retyped)
        if not notice and found.far == "retype" and device_request.code not in typed:
            self.recorder.count(table.APPROVALS_REFUSED, "retype")
            notice = "retype"
        if not notice:
            return None
        return see_other(visitor.request, "/device/confirm", code, notice=notice)


def _narrowed(choice: Choice, device_request: DeviceRequest) -> str | None:
    """Return the scope that the person grants; None for all of it, or if that is decided."""
    grant, client = device_request.grant, device_request.enabled_client
    if client is None or grant.state is not State.PENDING:
        return None
    scope = client.granted_scope(grant.scope, choice.chosen)
    return None if scope == grant.scope else scope


def _fault(choice: Choice, client: Client, grant: Grant) -> str:
    """Say why a choice of scopes cannot be approved, as the page's notice; empty if it can.

    The person decides about the boxes that the page showed. If others are optional by now, the page
    is shown again: no scope is granted against an unticked box, and none is lost without a box.
    """
    if grant.state is not State.PENDING:
        return ""  # nothing changes any more: the last page says what was approved
    if choice.offered != " ".join(client.optional_in(grant.scope)):
        return "outdated"
    if grant.scope and not client.granted_scope(grant.scope, choice.chosen):
        # RFC 6749 3.3 has no empty scope: a device could not tell that it has none.
        return "nothing"
    return ""
