"""A client may want more of a sign-in than there is: say what, and lead to it and back.

The page asks for nothing itself. What counts is the look at the decision (`decide.py`).
"""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.assurance import Shortfall
from deviceflow.core.client import Client
from deviceflow.pages import words
from deviceflow.pages.codes import Codes
from deviceflow.pages.device.approval_check import ApprovalCheck
from deviceflow.pages.device.submission import DeviceRequests, Submission
from deviceflow.pages.onward import Onward
from deviceflow.pages.redirect import see_other, with_code
from deviceflow.pages.texts import gettext, isolated
from deviceflow.pages.visitor import Visitors
from deviceflow.policy.sign_in_ways import SignInWays
from deviceflow.store.factors import FactorStore

STEP_UP_PATH = "/device/step-up"
_SECURITY = "/account/security"


@dataclass(frozen=True, kw_only=True)
class StepUpPage:
    """GET `/device/step-up`: why the request cannot be approved yet, and what to do."""

    visitors: Visitors
    codes: Codes
    requests: DeviceRequests
    check: ApprovalCheck
    ways: SignInWays
    factors: FactorStore
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get(STEP_UP_PATH, self.tell)]

    async def tell(self, request: web.Request) -> web.Response:
        """Say it, for a request that this account has claimed and that is not enough for it."""
        visitor = await self.visitors.meet(request)
        text = request.query.get("user_code", "")
        if visitor.person is None:
            return see_other(request, "/login", self.codes.carry(text))
        own = await self.requests.own(Submission(visitor=visitor, person=visitor.person, text=text))
        client = own.enabled_client if own else None
        if own is None or client is None:
            return see_other(request, "/device/confirm", self.codes.carry(text))
        found = await self.check.look(visitor, visitor.person, own.grant, client)
        if found.lacks is None:
            return see_other(request, "/device/confirm", self.codes.carry(text))
        lacks, max_age_s = found.lacks, found.rules.max_sign_in_age_s or 0
        self.audit.record(
            SecurityEvent.STEP_UP_REQUIRED,
            outcome="failure",
            sub=visitor.person.account.sub,
            client_id=client.client_id,
            reason=lacks.value,
        )
        code = self.requests.show(own)
        has_way = await self._has_way(lacks, visitor.person.account.sub)
        context = {
            "user_code": code,
            "heading": _heading(lacks, client),
            "is_verified": client.verified,
            "lead": _lead(lacks, max_age_s),
            "has_way": has_way,
            "lacks": lacks.value,
            "path": self._path(lacks, code, has_way=has_way),
        }
        return self.visitors.show(visitor, "device/step_up.html", context)

    async def _has_way(self, lacks: Shortfall, sub: str) -> bool:
        """Say whether the account has what is missing."""
        factors = await self.factors.of(sub)
        match lacks:
            case Shortfall.PHISHING_RESISTANT:
                return self.ways.passkeys and bool(factors.passkeys)
            case Shortfall.SECOND_FACTOR:
                return self.ways.has_second_factor(factors)
            case _:
                return True

    def _path(self, lacks: Shortfall, code: str, *, has_way: bool) -> str:
        if not has_way:
            return with_code(_SECURITY, code)
        if lacks is Shortfall.SECOND_FACTOR:
            return Onward(code, "confirm").address("/login/second")
        return Onward(code, "confirm", is_again=True).address("/login")


def _heading(lacks: Shortfall, client: Client) -> str:
    name = isolated(client.name)
    match lacks:
        case Shortfall.SECOND_FACTOR:
            return gettext("device.step_up.second_factor", client=name)
        case Shortfall.PHISHING_RESISTANT:
            return gettext("device.step_up.phishing_resistant", client=name)
        case _:
            return gettext("device.step_up.too_old", client=name)


def _lead(lacks: Shortfall, max_age_s: int) -> str:
    match lacks:
        case Shortfall.SECOND_FACTOR:
            return gettext("device.step_up.second_factor_why")
        case Shortfall.PHISHING_RESISTANT:
            return gettext("device.step_up.phishing_resistant_why")
        case _:
            return gettext("device.step_up.too_old_why", age=words.lasting(max_age_s))
