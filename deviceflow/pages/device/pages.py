"""The verification page: enter a code, compare it, decide (RFC 8628 3.3, 3.3.1, 5.4)."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core.claims import Subject
from deviceflow.core.client import Client, Clients
from deviceflow.core.clock import Clock
from deviceflow.core.grant import Event, Outcome
from deviceflow.pages.device import results
from deviceflow.pages.device.codes import Codes
from deviceflow.pages.device.confirmation import describe
from deviceflow.pages.device.results import Result
from deviceflow.pages.errors import PageError, unreadable
from deviceflow.pages.form import read_form
from deviceflow.pages.render import see_other
from deviceflow.pages.sign_in.password import with_code
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Person, Visitor, Visitors
from deviceflow.pages.words import lasting
from deviceflow.store.grants import Grant, Grants

UNUSABLE = 400
"""The status for a code that is unknown, expired, mistyped or missing: there is no telling."""

_DECISIONS = {"approve": Event.APPROVE, "deny": Event.DENY}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class DevicePages:
    """GET and POST `/device`. `clock` gives s since 1970."""

    settings: Settings
    visitors: Visitors
    codes: Codes
    throttle: Throttle
    clients: Clients
    grants: Grants
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/device", self.ask), web.post("/device", self.submit)]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form for a code. A code in the address fills it in and does no more (3.3.1)."""
        visitor = await self.visitors.meet(request)
        text = request.query.get("user_code", "")
        if visitor.person is None:
            return see_other(request, with_code("/login", self.codes.carry(text)))
        return self._form(request, visitor, await self._prefill(visitor, visitor.person, text))

    async def submit(self, request: web.Request) -> web.Response:
        """Take a code, and with it a decision if this account has seen the request before."""
        form = await read_form(request, self.settings.server.max_body_bytes)
        visitor = await self.visitors.meet(request)
        self.visitors.csrf.check(request, visitor.sent_cookie, form.get("csrf_token", ""))
        text = form.get("user_code", "")
        if visitor.person is None:
            return see_other(request, with_code("/login", self.codes.carry(text)))
        decision = form.get("decision")
        if decision is None:
            return await self._claim(request, visitor, visitor.person, text)
        if decision not in _DECISIONS:
            raise unreadable()
        return await self._decide(request, visitor, visitor.person, text, _DECISIONS[decision])

    async def _claim(
        self, request: web.Request, visitor: Visitor, person: Person, text: str
    ) -> web.Response:
        """Make the request this account's own, and show it."""
        await self.throttle.code(person.account.sub, visitor.address)
        code, grant = await self._look_up(text)
        if grant is None:
            return self._form(request, visitor, text, UNUSABLE)
        return await self._confirm(request, visitor, person, code, grant)

    async def _decide(
        self, request: web.Request, visitor: Visitor, person: Person, text: str, event: Event
    ) -> web.Response:
        """Carry out a decision on a request that this account has claimed, and on no other."""
        code, grant = await self._look_up(text)
        if grant is None or grant.claimed_by != person.account.sub:
            # Not known to be this account's: then it is a guess, and counts as one.
            await self.throttle.code(person.account.sub, visitor.address)
        if grant is None:
            return self._end(request, visitor, results.expired())
        if grant.claimed_by != person.account.sub:
            return await self._confirm(request, visitor, person, code, grant)
        client = self._client(grant)
        if client is None and event is Event.APPROVE:
            return self._end(request, visitor, results.client_unavailable())
        outcome = await self.grants.decide(grant, event, _subject(person))
        _log.info("grant.decided", wanted=event, outcome=outcome, client_id=grant.client_id)
        name = client.name if client else "The application"
        return self._end(request, visitor, await self._result(outcome, event, name, code))

    async def _confirm(
        self, request: web.Request, visitor: Visitor, person: Person, code: str, grant: Grant
    ) -> web.Response:
        client = self._client(grant)
        if client is None:
            return self._end(request, visitor, results.client_unavailable())
        outcome = await self._claim_outcome(grant, person.account.sub)
        match outcome:
            case Outcome.CHANGED:
                await self.throttle.forgive_code(person.account.sub, visitor.address)
                now = int(self.clock())
                facts = describe(grant, client, self.settings, visitor.address, now)
                context = {"request": facts, "user_code": self.codes.show(code, client)}
                return self.visitors.show(request, visitor, "confirm.html", context)
            case Outcome.REFUSED:
                return self._end(request, visitor, await self._refused(code))
            case Outcome.CLAIMED:
                _log.warning("grant.claimed_by_another", client_id=grant.client_id)
                return self._end(request, visitor, results.claimed_by_another())
            case _:
                return self._form(request, visitor, code, UNUSABLE)

    async def _claim_outcome(self, grant: Grant, sub: str) -> Outcome:
        if grant.claimed_by not in {None, sub}:
            return Outcome.CLAIMED
        return await self.grants.claim(grant, sub)

    async def _result(self, outcome: Outcome, event: Event, name: str, code: str) -> Result:
        match outcome:
            case Outcome.CHANGED:
                return results.approved(name) if event is Event.APPROVE else results.denied(name)
            case Outcome.CLAIMED:
                return results.claimed_by_another()
            case Outcome.REFUSED:
                return await self._refused(code)
            case _:
                return results.expired()

    async def _refused(self, code: str) -> Result:
        """Say how the request was answered, as it is now, after whoever was quicker."""
        grant = await self.grants.find(code)
        return results.already_decided(grant.state) if grant else results.expired()

    async def _look_up(self, text: str) -> tuple[str, Grant | None]:
        for code in self.codes.read(text):
            grant = await self.grants.find(code)
            if grant is not None:
                return code, grant
        return "", None

    def _client(self, grant: Grant) -> Client | None:
        client = self.clients.find(grant.client_id)
        return client if client is not None and client.enabled else None

    async def _prefill(self, visitor: Visitor, person: Person, text: str) -> str:
        """Choose what stands in the form: the code of the address, unless it has to be typed.

        Only a look-up tells whose code it is, and a look-up is a guess.
        """
        code = self.codes.carry(text)
        if not code or all(client.verification_uri_complete for client in self.clients):
            return code
        try:
            await self.throttle.code(person.account.sub, visitor.address)
        except PageError:
            return ""
        _, grant = await self._look_up(code)
        client = self.clients.find(grant.client_id) if grant else None
        return "" if client is not None and not client.verification_uri_complete else code

    def _form(
        self, request: web.Request, visitor: Visitor, text: str, status: int = 200
    ) -> web.Response:
        context = {
            "user_code": text,
            "example": self.codes.example,
            "is_numeric": self.codes.is_numeric,
            "lifetime": lasting(self.settings.device.lifetime_s),
            "is_unusable": status == UNUSABLE,
        }
        return self.visitors.show(request, visitor, "device.html", context, status=status)

    def _end(self, request: web.Request, visitor: Visitor, result: Result) -> web.Response:
        context = {"result": result}
        return self.visitors.show(request, visitor, "result.html", context, status=result.status)


def _subject(person: Person) -> Subject:
    """Say who decides, for the tokens."""
    return Subject(
        sub=person.account.sub,
        username=person.account.username,
        auth_time=person.session.auth_time,
        amr=("pwd",),
        name=person.account.name,
        email=person.account.email,
    )
