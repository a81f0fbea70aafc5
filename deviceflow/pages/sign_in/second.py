"""The second step: a code of the app, a recovery code or a passkey, after a right password."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from deviceflow.core.assurance import ONE_TIME_CODE, PASSKEY, joined
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.ceremonies import PASSKEY_POLICY, Ceremonies, CeremonyRefused
from deviceflow.pages.codes import Codes
from deviceflow.pages.known_browser import KnownBrowsers
from deviceflow.pages.onward import Onward
from deviceflow.pages.pause import Pauses
from deviceflow.pages.sign_in.arrival import Arrival
from deviceflow.pages.sign_in.failures import SignInFailures
from deviceflow.pages.sign_in.half_way import FirstStep, HalfWay
from deviceflow.pages.throttle import Throttle, account_key
from deviceflow.pages.visitor import Visitor, Visitors
from deviceflow.policy.second_factor import OneTimeCodes
from deviceflow.policy.sign_in_ways import SignInWays
from deviceflow.policy.tries import TooManyTries
from deviceflow.store.accounts import Account
from deviceflow.store.factors import FactorStore

SECOND_PATH: Final = "/login/second"

_PROBLEMS = {"incomplete": 400} | dict.fromkeys(
    ("wrong", "wrong_recovery", "passkey", "outdated", "paused"), 403
)
"""The problems of a form that was sent, and the status of the page that tells them."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class SecondPage:
    """GET and POST `/login/second`. A person without the first step is led to it."""

    visitors: Visitors
    codes: Codes
    throttle: Throttle
    pauses: Pauses
    known_browsers: KnownBrowsers
    half_way: HalfWay
    ways: SignInWays
    factors: FactorStore
    one_time_codes: OneTimeCodes
    arrival: Arrival
    ceremonies: Ceremonies | None
    recorder: Recorder
    failures: SignInFailures

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get(SECOND_PATH, self.ask), web.post(SECOND_PATH, self.check)]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form, unless the first step is missing or nothing is left to prove."""
        visitor = await self.visitors.meet(request)
        onward = Onward.of(self.codes, request.query)
        first = await self._first_step(visitor)
        if first is None:
            return _elsewhere(visitor, onward)
        self.pauses.check(visitor, SECOND_PATH)
        notice = "paused" if "pause" in request.query else request.query.get("notice", "")
        return await self._form(visitor, first.account, onward, notice)

    async def check(self, request: web.Request) -> web.Response:
        """Start the session, or lead back to the form."""
        visitor, fields = await self.visitors.read(request)
        onward = Onward.of(self.codes, fields)
        first = await self._first_step(visitor)
        if first is None:
            return _elsewhere(visitor, onward)
        if not self.visitors.is_own(visitor, fields):
            return onward.detour(request, SECOND_PATH, notice="outdated")
        if "credential" in fields:
            return await self._by_passkey(visitor, first, onward, fields["credential"])
        return await self._by_code(visitor, first, onward, fields)

    async def _by_code(
        self, visitor: Visitor, first: FirstStep, onward: Onward, fields: Mapping[str, str]
    ) -> web.Response:
        """Go on if a code of the app, or a recovery code, is right and was not used."""
        code, recovery = fields.get("code", ""), fields.get("recovery_code", "")
        if not code and not recovery:
            return onward.detour(visitor.request, SECOND_PATH, notice="incomplete")
        name = account_key(first.account.username)
        browser = self.known_browsers.mark(visitor.request, name)
        try:
            attempt = await self.throttle.second_factor(name, visitor.address, browser)
        except TooManyTries as refusal:
            kept, wait_s = onward.user_code, refusal.wait_s
            return self.pauses.lead(visitor, SECOND_PATH, wait_s, kept, "known")
        if not await self._is_right(first.account.sub, code, recovery):
            log.info("sign_in.second_failed", address=visitor.address)
            way = "one_time_code" if code else "recovery_code"
            self.failures.of(first.account.sub, way)
            return self._again(visitor, onward, "wrong" if code else "wrong_recovery")
        await attempt.forgive()
        return await self._finish(visitor, first, onward, ONE_TIME_CODE)

    async def _by_passkey(
        self, visitor: Visitor, first: FirstStep, onward: Onward, credential: str
    ) -> web.Response:
        """Go on if the passkey is one of this very account."""
        if self.ceremonies is None:
            return self._again(visitor, onward, "passkey")
        try:
            await self.ceremonies.sign_second(visitor.cookie, first.account, credential)
        except CeremonyRefused as refusal:
            log.info("sign_in.passkey_refused", reason=str(refusal), address=visitor.address)
            self.failures.of(first.account.sub, "passkey", str(refusal))
            return self._again(visitor, onward, "passkey")
        return await self._finish(visitor, first, onward, PASSKEY)

    def _again(self, visitor: Visitor, onward: Onward, problem: str) -> web.Response:
        self.recorder.count(table.SIGN_INS, "failed")
        return onward.detour(visitor.request, SECOND_PATH, notice=problem)

    async def _finish(
        self, visitor: Visitor, first: FirstStep, onward: Onward, factor: tuple[str, ...]
    ) -> web.Response:
        if first.session is not None and first.session.upstream is not None:
            return await self.arrival.prove_more(visitor, first.session, onward, factor)
        amr, when = joined(first.amr, factor), first.auth_time
        return await self.arrival.finish(visitor, first.account, onward, amr=amr, auth_time=when)

    async def _first_step(self, visitor: Visitor) -> FirstStep | None:
        """Return what was proven: in a form a moment ago, or in the session that there is."""
        first = await self.half_way.read(visitor)
        if first is not None:
            return first
        person = visitor.person
        if person is None or "mfa" in person.session.amr:
            return None
        if not self.ways.has_second_factor(await self.factors.of(person.account.sub)):
            return None
        session = person.session
        return FirstStep(person.account, session.amr, session.auth_time, session)

    async def _is_right(self, sub: str, code: str, recovery: str) -> bool:
        if code:
            return self.ways.totp and await self.one_time_codes.use_app_code(sub, code)
        return await self.one_time_codes.use_recovery_code(sub, recovery)

    async def _form(
        self, visitor: Visitor, account: Account, onward: Onward, notice: str
    ) -> web.Response:
        factors = await self.factors.of(account.sub)
        options = ""
        if self.ceremonies is not None and factors.passkeys:
            options = self.ceremonies.second_options(visitor.cookie, account, factors)
        context: Mapping[str, object] = {
            "passkey_options": options,
            "onward": onward,
            "account": account,
            "has_app": self.ways.totp and factors.authenticator is not None,
            "has_recovery": bool(factors.recovery),
            "problem": notice if notice in _PROBLEMS else "",
        }
        status = _PROBLEMS.get(notice, 200)
        policy = PASSKEY_POLICY if options else None
        return self.visitors.show(
            visitor, "sign_in/second.html", context, status=status, policy=policy
        )


def _elsewhere(visitor: Visitor, onward: Onward) -> web.Response:
    """Lead to the first step, or on if the person is signed in as far as it goes."""
    if visitor.person is None:
        return onward.detour(visitor.request, "/login")
    return onward.go_on(visitor.request)
