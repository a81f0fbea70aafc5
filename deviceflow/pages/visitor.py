"""Who is looking at a page: an account with a session, or somebody who has not signed in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from deviceflow.callers import Callers
from deviceflow.config import Settings
from deviceflow.pages.cookie import SessionCookie, new_value
from deviceflow.pages.csrf import Csrf
from deviceflow.pages.render import render
from deviceflow.store.sessions import Session, Sessions
from deviceflow.store.users import Account, Users


@dataclass(frozen=True, kw_only=True)
class Person:
    """An account that is allowed to act, and the session in which it signed in."""

    account: Account
    session: Session


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """The sender of one request. `sent_cookie` is None on a first visit; `person` until sign-in."""

    sent_cookie: str | None
    cookie: str
    csrf_token: str
    address: str
    person: Person | None


class Visitors:
    """Recognises visitors and shows them pages. Raises `StoreUnavailable` when it cannot."""

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        users: Users,
        callers: Callers,
        csrf_key: Callable[[], bytes],
    ) -> None:
        self.csrf = Csrf(csrf_key, settings.issuer_url)
        self.cookie = SessionCookie(https=settings.issuer_url.startswith("https://"))
        self._sessions = sessions
        self._users = users
        self._callers = callers

    async def meet(self, request: web.Request) -> Visitor:
        """Recognise the sender of `request`."""
        sent = self.cookie.read(request)
        cookie = sent or new_value()
        return Visitor(
            sent_cookie=sent,
            cookie=cookie,
            csrf_token=self.csrf.token(cookie),
            address=self._callers.address(request),
            person=None if sent is None else await self._person(sent),
        )

    def show(
        self,
        request: web.Request,
        visitor: Visitor,
        template: str,
        context: Mapping[str, Any],
        *,
        status: int = 200,
    ) -> web.Response:
        """Answer with a page whose forms are the visitor's own."""
        own = {"csrf_token": visitor.csrf_token, "person": visitor.person}
        response = render(request, template, own | dict(context), status=status)
        if visitor.sent_cookie is None:
            self.cookie.write(response, visitor.cookie)
        return response

    async def _person(self, session_id: str) -> Person | None:
        """Find who signed in; somebody disabled or replaced since then is signed out at once."""
        session = await self._sessions.get(session_id)
        if session is None:
            return None
        account = await self._users.find(session.username)
        if account is None or account.disabled or account.sub != session.sub:
            return None
        return Person(account=account, session=session)
