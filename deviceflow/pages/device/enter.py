"""The first step: a person enters the code that the device shows (RFC 8628 3.3, 3.3.1)."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.core.grant import Event
from deviceflow.pages.codes import Codes
from deviceflow.pages.device.code_form import CodeForm
from deviceflow.pages.device.confirm import ConfirmPage
from deviceflow.pages.device.decide import DecideStep
from deviceflow.pages.device.submission import Submission
from deviceflow.pages.errors import unreadable
from deviceflow.pages.redirect import see_other
from deviceflow.pages.visitor import Visitors


@dataclass(frozen=True, kw_only=True)
class EnterPage:
    """GET and POST `/device`. A form with a decision in it goes to the third step at once."""

    visitors: Visitors
    codes: Codes
    form: CodeForm
    confirm: ConfirmPage
    decide: DecideStep

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/device", self.ask), web.post("/device", self.submit)]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form for a code. A code in the address fills it in and does no more (3.3.1).

        It is not looked up: that would be a guess, and to open a link is none.
        """
        visitor = await self.visitors.meet(request)
        text = request.query.get("user_code", "")
        if visitor.person is None:
            return see_other(request, "/login", self.codes.carry(text))
        return await self.form.show(visitor, self.codes.carry(text))

    async def submit(self, request: web.Request) -> web.Response:
        """Take a code, and with it a decision if this account has seen the request before."""
        visitor, fields = await self.visitors.receive(request)
        text = fields.get("user_code", "")
        if visitor.person is None:
            return see_other(request, "/login", self.codes.carry(text))
        filled_in = self.codes.carry(fields.get("filled_in", ""))
        submission = Submission(
            visitor=visitor,
            person=visitor.person,
            text=text,
            is_filled_in=bool(filled_in) and filled_in == self.codes.carry(text),
        )
        match fields.get("decision"):
            case None:
                return await self.confirm.look_up(submission)
            case "approve":
                return await self.decide.carry_out(submission, Event.APPROVE)
            case "deny":
                return await self.decide.carry_out(submission, Event.DENY)
            case _:
                raise unreadable()
