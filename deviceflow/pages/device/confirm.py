"""The second step: a person compares the request with the device (RFC 8628 5.4)."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.clock import Clock
from deviceflow.core.grant import Outcome
from deviceflow.pages.codes import Codes
from deviceflow.pages.device import endings
from deviceflow.pages.device.code_form import CodeForm
from deviceflow.pages.device.done import DonePage
from deviceflow.pages.device.facts import request_facts
from deviceflow.pages.device.submission import DeviceRequest, DeviceRequests, Submission
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitors
from deviceflow.policy.tries import Try
from deviceflow.store.grants import Grant, Grants

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class ConfirmPage:
    """What is shown before the decision. To be shown a request is to claim it."""

    settings: Settings
    visitors: Visitors
    codes: Codes
    throttle: Throttle
    grants: Grants
    requests: DeviceRequests
    form: CodeForm
    done: DonePage
    clock: Clock

    async def look_up(self, submission: Submission) -> web.Response:
        """Show the request that the code belongs to, or ask for the code again."""
        visitor, text = submission.visitor, submission.text
        if not self.codes.read(text):
            return await self.form.refuse(visitor, text)
        guess = await self.throttle.code(submission.sub, visitor.address, text)
        device_request = await self.requests.find(text)
        if device_request is None:
            return await self.form.refuse(visitor, text)
        client = device_request.client
        if submission.is_filled_in and client and not client.verification_uri_complete:
            await guess.forgive()
            return await self.form.ask_to_type(visitor)
        return await self.claim(submission, device_request, guess)

    async def claim(
        self, submission: Submission, device_request: DeviceRequest, guess: Try
    ) -> web.Response:
        """Make the request this account's own, and show it: then `guess` was none."""
        visitor, grant = submission.visitor, device_request.grant
        client = device_request.enabled_client
        if grant.claimed_by == submission.sub:
            await guess.forgive()
        if client is None:
            return self.done.show(visitor, endings.client_unavailable())
        match await self._claim_outcome(grant, submission.sub):
            case Outcome.CHANGED:
                await guess.forgive()
                return self._page(submission, device_request, client)
            case Outcome.REFUSED:
                return await self.done.show_answered(visitor, device_request.code)
            case Outcome.CLAIMED:
                log.warning("grant.claimed_by_another", client_id=grant.client_id)
                return self.done.show(visitor, endings.claimed_by_another())
            case _:
                code = self.codes.show(device_request.code, client)
                return await self.form.refuse(visitor, code)

    async def _claim_outcome(self, grant: Grant, sub: str) -> Outcome:
        if grant.claimed_by not in {None, sub}:
            return Outcome.CLAIMED
        return await self.grants.claim(grant, sub)

    def _page(
        self, submission: Submission, device_request: DeviceRequest, client: Client
    ) -> web.Response:
        visitor, now = submission.visitor, int(self.clock())
        facts = request_facts(device_request.grant, client, self.settings, visitor.address, now)
        context = {"request": facts, "user_code": self.codes.show(device_request.code, client)}
        return self.visitors.show(visitor, "device/confirm.html", context)
