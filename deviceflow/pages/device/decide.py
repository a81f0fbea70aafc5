"""The third step: a person approves or denies the request (RFC 8628 3.3)."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.core.grant import Event, Outcome
from deviceflow.pages.device import endings
from deviceflow.pages.device.confirm import ConfirmPage
from deviceflow.pages.device.done import DonePage
from deviceflow.pages.device.submission import DeviceRequest, DeviceRequests, Submission
from deviceflow.pages.texts import gettext
from deviceflow.pages.throttle import Throttle
from deviceflow.store.grants import Grants

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class DecideStep:
    """Carries out decisions on a request that the account has claimed, and on no other."""

    throttle: Throttle
    grants: Grants
    requests: DeviceRequests
    confirm: ConfirmPage
    done: DonePage

    async def carry_out(self, submission: Submission, event: Event) -> web.Response:
        """Decide, or show the request first if this account has not been shown it."""
        device_request = await self.requests.find(submission.text)
        if device_request is not None and device_request.grant.claimed_by == submission.sub:
            return await self._decide(submission, device_request, event)
        if not self.confirm.codes.read(submission.text):
            return self.done.show(submission.visitor, endings.expired())
        # Not known to be this account's: then it is a guess, and counts as one.
        visitor = submission.visitor
        guess = await self.throttle.code(submission.sub, visitor.address, submission.text)
        if device_request is None:
            return self.done.show(visitor, endings.expired())
        return await self.confirm.claim(submission, device_request, guess)

    async def _decide(
        self, submission: Submission, device_request: DeviceRequest, event: Event
    ) -> web.Response:
        """Change the grant, and say how it ended. A client that was switched off can be denied."""
        visitor, grant = submission.visitor, device_request.grant
        client = device_request.enabled_client
        if client is None and event is Event.APPROVE:
            return self.done.show(visitor, endings.client_unavailable())
        outcome = await self.grants.decide(grant, event, submission.person.subject())
        log.info("grant.decided", wanted=event, outcome=outcome, client_id=grant.client_id)
        match outcome:
            case Outcome.CHANGED:
                name = client.name if client else gettext("device.done.unnamed_client")
                make = endings.approved if event is Event.APPROVE else endings.denied
                return self.done.show(visitor, make(name))
            case Outcome.REFUSED:
                return await self.done.show_answered(visitor, device_request.code)
            case Outcome.CLAIMED:
                return self.done.show(visitor, endings.claimed_by_another())
            case _:
                return self.done.show(visitor, endings.expired())
