"""The second step: a person compares the request with the device (RFC 8628 5.4)."""

from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.clock import Clock
from deviceflow.core.grant import State
from deviceflow.pages.codes import Codes
from deviceflow.pages.device import endings, step_up
from deviceflow.pages.device.approval_check import ApprovalCheck, Findings
from deviceflow.pages.device.done import DonePage
from deviceflow.pages.device.facts import request_facts
from deviceflow.pages.device.submission import DeviceRequest, DeviceRequests, Submission
from deviceflow.pages.device.submit import SubmitStep
from deviceflow.pages.languages import LANGUAGES
from deviceflow.pages.redirect import see_other
from deviceflow.pages.texts import Language, gettext, speaking
from deviceflow.pages.visitor import Visitor, Visitors

_POLICY = {"script-src": "'self'"}
"""The page has a script that writes times as the person's clock shows them."""


class CautionAgain(NamedTuple):
    """The caution in a second language: a question or statement, and what to do."""

    language: Language
    first: str
    then: str


@dataclass(frozen=True, kw_only=True)
class ConfirmPage:
    """GET and POST `/device/confirm`: what is shown before the decision, to the account that asked.

    A GET shows a request that this account has claimed, and claims none. Every other code leads to
    the form for a code, whether or not there is a request behind it.
    """

    settings: Settings
    visitors: Visitors
    codes: Codes
    requests: DeviceRequests
    done: DonePage
    clock: Clock
    step: SubmitStep
    check: ApprovalCheck

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/device/confirm", self.ask),
            web.post("/device/confirm", self.step.take),
        ]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the request with its two buttons, or continue at the page that fits its state."""
        visitor = await self.visitors.meet(request)
        text = request.query.get("user_code", "")
        if visitor.person is None:
            return see_other(request, "/login", self.codes.carry(text))
        own = await self.requests.own(Submission(visitor=visitor, person=visitor.person, text=text))
        if own is None:
            notice = request.query.get("notice", "")
            return see_other(request, "/device", self.codes.carry(text), notice=notice)
        if own.grant.state is not State.PENDING or self.clock() >= own.grant.expires_at:
            return see_other(request, "/device/done", self.requests.show(own))
        client = own.enabled_client
        if client is None:
            return self.done.show(visitor, endings.client_unavailable())
        found = await self.check.look(visitor, visitor.person, own.grant, client)
        if found.lacks and not found.is_outside and found.far != "refuse":
            return see_other(request, step_up.STEP_UP_PATH, self.requests.show(own))
        return self._page(visitor, own, client, found)

    def _page(
        self, visitor: Visitor, device_request: DeviceRequest, client: Client, found: Findings
    ) -> web.Response:
        if found.is_outside:
            return self.done.show(visitor, endings.outside(visitor.address))
        if found.far == "refuse":
            return self.done.show(visitor, endings.far_away())
        grant, now = device_request.grant, int(self.clock())
        facts = request_facts(grant, client, self.settings, found.origin, now)
        again = _caution_again(visitor.request, is_within=found.origin.is_within)
        notice = visitor.request.query.get("notice")
        context = {
            "request": facts,
            "again": again,
            "user_code": self.codes.show(device_request.code, client),
            "is_outdated": notice == "outdated",
            "has_chosen_nothing": notice == "nothing",
            "must_retype": found.far == "retype",
            "has_mistyped": notice == "retype",
        }
        return self.visitors.show(visitor, "device/confirm.html", context, policy=_POLICY)


def _caution_again(request: web.Request, *, is_within: bool | None) -> CautionAgain | None:
    """Return the caution in the language of the browser, if the page is in one of a link.

    A stranger who sends a code may send it with a language that the person cannot read.
    """
    language = request.app[LANGUAGES].of_browser(request)
    if language is None:
        return None
    with speaking(language):
        if is_within is False:
            first = gettext("device.confirm.elsewhere")
            return CautionAgain(language, first, gettext("device.confirm.elsewhere_deny"))
        first = gettext("device.confirm.caution")
        return CautionAgain(language, first, gettext("device.confirm.caution_deny"))
