"""The first step: a person enters the code that the device shows (RFC 8628 3.3, 3.3.1)."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.core.client import Clients
from deviceflow.pages.codes import Codes
from deviceflow.pages.device.code_form import CodeForm
from deviceflow.pages.device.refusals import Refusals
from deviceflow.pages.device.submission import DeviceRequests, Submission
from deviceflow.pages.device.submit import SubmitStep
from deviceflow.pages.errors import PageError
from deviceflow.pages.redirect import see_other
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitors


@dataclass(frozen=True, kw_only=True)
class EnterPage:
    """GET and POST `/device`. A form with a decision in it goes to the third step at once."""

    visitors: Visitors
    codes: Codes
    throttle: Throttle
    clients: Clients
    requests: DeviceRequests
    refusals: Refusals
    form: CodeForm
    step: SubmitStep

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/device", self.ask), web.post("/device", self.step.take)]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form for a code. A code in the address fills it in and does no more (3.3.1)."""
        visitor = await self.visitors.meet(request)
        text = request.query.get("user_code", "")
        if visitor.person is None:
            return see_other(request, "/login", self.codes.carry(text))
        refusal = self.refusals.read(visitor)
        if refusal is not None:
            return await self.form.refuse(visitor, refusal.typed)
        submission = Submission(visitor=visitor, person=visitor.person, text=text)
        return await self.form.show(visitor, await self._prefill(submission))

    async def _prefill(self, submission: Submission) -> str:
        """Choose what stands in the form: the code of the address, unless it has to be typed.

        Only a look-up shows whose code it is, and a look-up is a guess.
        """
        code = self.codes.carry(submission.text)
        if not code or all(client.verification_uri_complete for client in self.clients):
            return code
        try:
            await self.throttle.code(submission.sub, submission.visitor.address)
        except PageError:
            return ""
        device_request = await self.requests.find(code)
        if device_request is None:
            return code
        client = device_request.client
        if client is not None and not client.verification_uri_complete:
            return ""
        return self.codes.show(device_request.code, client)
