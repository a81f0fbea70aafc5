"""What the forms of the device pages send: a code, a decision, or the wish for another account."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from deviceflow.core.grant import Event
from deviceflow.pages.codes import Codes
from deviceflow.pages.device.claim import ClaimStep
from deviceflow.pages.device.decide import DecideStep
from deviceflow.pages.device.proofs import Proofs
from deviceflow.pages.device.report import ReportStep
from deviceflow.pages.device.submission import Choice, Submission
from deviceflow.pages.device.switch import SwitchStep
from deviceflow.pages.errors import unreadable
from deviceflow.pages.pause import PROOF_PATH, PauseNote, Pauses
from deviceflow.pages.redirect import see_other
from deviceflow.pages.visitor import Visitors
from deviceflow.policy.rules import is_of_wave
from deviceflow.policy.tries import TooManyTries


@dataclass(frozen=True, kw_only=True)
class SubmitStep:
    """Takes a form, of whichever device page, and carries out what its button says."""

    visitors: Visitors
    codes: Codes
    pauses: Pauses
    proofs: Proofs
    claim: ClaimStep
    decide: DecideStep
    switch: SwitchStep
    report: ReportStep

    async def take(self, request: web.Request) -> web.Response:
        """Change what the form asks for, and continue at the page that shows it (303).

        A person whose session has ended is asked to sign in, whatever token the form has, for
        nothing is changed. The page for that says so, and keeps the code. A form from before
        another sign-in changes nothing either: its page is shown again, with a form that counts.
        """
        visitor, fields = await self.visitors.read(request)
        text = fields.get("user_code", "")
        if visitor.person is None:
            return see_other(request, "/login", self.codes.carry(text), notice="ended")
        if not self.visitors.is_own(visitor, fields):
            page = "/device/confirm" if {"decision", "switch"} & set(fields) else "/device"
            return see_other(request, page, self.codes.carry(text), notice="outdated")
        filled_in = self.codes.carry(fields.get("filled_in", ""))
        submission = Submission(
            visitor=visitor,
            person=visitor.person,
            text=text,
            is_filled_in=bool(filled_in) and filled_in == self.codes.carry(text),
            is_proven=await self.proofs.take(visitor, visitor.person, fields),
            choice=Choice.of(fields),
            retyped=fields.get("typed_code", ""),
        )
        try:
            return await self._carry_out(submission, fields)
        except TooManyTries as refusal:
            code, wait_s = self.codes.carry(text), refusal.wait_s
            if not (self.proofs.bits and is_of_wave(refusal.rule)):
                return self.pauses.lead(visitor, "/device", wait_s, code)
            note: PauseNote = "link" if submission.is_filled_in else ""
            return self.pauses.lead(visitor, PROOF_PATH, wait_s, code, note)

    async def _carry_out(self, submission: Submission, fields: Mapping[str, str]) -> web.Response:
        if "switch" in fields:
            return await self.switch.carry_out(submission)
        match fields.get("decision"):
            case None:
                return await self.claim.look_up(submission)
            case "approve":
                return await self.decide.carry_out(submission, Event.APPROVE)
            case "deny":
                return await self.decide.carry_out(submission, Event.DENY)
            case "report":
                return await self.report.carry_out(submission)
            case _:
                raise unreadable()
