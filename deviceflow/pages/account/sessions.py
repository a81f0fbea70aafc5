"""The browsers in which a person is signed in: seen, signed out."""

import dataclasses
from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.clock import Clock
from deviceflow.pages.account.door import AccountDoor, AccountVisit, Said
from deviceflow.pages.account.facts import session_facts
from deviceflow.pages.cookie import SessionCookie
from deviceflow.store.person_access import PersonAccess
from deviceflow.store.sessions import Sessions

OTHER_SESSIONS = "others"
"""The name of all other sessions together, where one is named."""

_PLACE = "sessions"
_PATH = "/account/sessions"
_POLICY = {"script-src": "'self'"}

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class SessionsPage:
    """GET and POST `/account/sessions`. May raise `StoreUnavailable`."""

    door: AccountDoor
    sessions: Sessions
    access: PersonAccess
    cookie: SessionCookie
    clock: Clock
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get(_PATH, self.list_all), web.post(_PATH, self.end)]

    async def list_all(self, request: web.Request) -> web.Response:
        """Show the sessions, the newest first and this one marked."""
        visit = await self.door.enter(request, _PLACE)
        if isinstance(visit, web.Response):
            return visit
        now, this = int(self.clock()), self.sessions.name_of(visit.visitor.cookie)
        found = [session_facts(each, this, now) for each in await self.sessions.of(visit.sub)]
        context = {
            "sessions": sorted(found, key=lambda facts: not facts.is_this),
            "said": self.door.said(visit.visitor),
            "place": _PLACE,
            "others": OTHER_SESSIONS,
        }
        visitors = self.door.visitors
        return visitors.show(visit.visitor, "account/sessions.html", context, policy=_POLICY)

    async def end(self, request: web.Request) -> web.Response:
        """End one session, or all but this one."""
        visit = await self.door.take(request, _PLACE)
        if isinstance(visit, web.Response):
            return visit
        name = visit.fields.get("session", "")
        if name == OTHER_SESSIONS:
            return await self._end_others(visit)
        is_ended = await self.sessions.end_named(visit.sub, name)
        if is_ended:
            log.info("session.ended", sub=visit.sub)
            self._record(visit.sub)
        said = Said.SIGNED_OUT if is_ended else Said.GONE
        return self.door.lead(visit.visitor, _PATH, said)

    async def _end_others(self, visit: AccountVisit) -> web.Response:
        own, person = visit.visitor.cookie, visit.person
        kept, number = await self.access.sign_out_elsewhere(person.account, own, person.session)
        log.info("sessions.ended", sub=visit.sub, sessions=number)
        self._record(visit.sub, number)
        visitor = dataclasses.replace(visit.visitor, cookie=kept)
        response = self.door.lead(visitor, _PATH, Said.OTHERS_SIGNED_OUT)
        self.cookie.write(response, kept)
        return response

    def _record(self, sub: str, number: int = 0) -> None:
        self.audit.record(SecurityEvent.SESSION_ENDED, sub=sub, way="page", number=number)
