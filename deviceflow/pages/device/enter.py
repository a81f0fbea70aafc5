"""The first step: a person enters the code that the device shows (RFC 8628 3.3, 3.3.1)."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.codes import Codes
from deviceflow.pages.device.code_form import CodeForm
from deviceflow.pages.device.refusals import Reason, Refusals
from deviceflow.pages.device.submit import SubmitStep
from deviceflow.pages.pause import Pauses
from deviceflow.pages.redirect import see_other
from deviceflow.pages.visitor import Visitors
from deviceflow.policy.phishing import CodeLinks


@dataclass(frozen=True, kw_only=True)
class EnterPage:
    """GET and POST `/device`. A form with a decision in it goes to the third step at once."""

    visitors: Visitors
    codes: Codes
    refusals: Refusals
    pauses: Pauses
    form: CodeForm
    links: CodeLinks
    step: SubmitStep

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/device", self.ask), web.post("/device", self.step.take)]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form for a code. A code in the address fills it in and does no more (3.3.1).

        It is not looked up: that would be a guess, and to open a link is none. Where no client's
        code comes in a link, it fills nothing in.
        """
        visitor = await self.visitors.meet(request)
        text = request.query.get("user_code", "")
        if visitor.person is None:
            return see_other(request, "/login", self.codes.carry(text))
        self.pauses.check(visitor, "/device")
        refusal = self.refusals.read(visitor)
        if refusal is None:
            is_outdated = request.query.get("notice") == "outdated"
            filled_in = self.codes.carry(text) if self.links.are_used else ""
            return await self.form.show(visitor, filled_in, is_outdated=is_outdated)
        if refusal.reason is Reason.MUST_TYPE:
            return await self.form.ask_to_type(visitor)
        return await self.form.refuse(visitor, refusal)
