"""Who is looking at a page: an account with a session, or a person who has not signed in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from deviceflow.callers import Callers
from deviceflow.core.claims import Subject
from deviceflow.pages.cookie import SessionCookie, new_value
from deviceflow.pages.csrf import Csrf
from deviceflow.pages.form import read_fields
from deviceflow.pages.render import USER_CODE, render
from deviceflow.pages.vouched import VouchedNames
from deviceflow.store.accounts import Account
from deviceflow.store.sessions import Session, Sessions
from deviceflow.store.users import Users


@dataclass(frozen=True, kw_only=True)
class Person:
    """An account that is allowed to act, and the session in which it signed in."""

    account: Account
    session: Session

    def subject(self) -> Subject:
        """Say who the person is, for the tokens of a device that the person approves.

        It has the account's mark of now. If the person disconnects all devices before this one has
        its tokens, this one gets none.
        """
        return Subject(
            sub=self.account.sub,
            username=self.account.username,
            auth_time=self.session.auth_time,
            amr=self.session.amr,
            acr=self.session.acr,
            name=self.account.name,
            email=self.account.email,
            mark=self.account.marks.devices,
        )


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """The sender of one request. `sent_cookie` is None on a first visit; `person` until sign-in."""

    request: web.Request
    sent_cookie: str | None
    cookie: str
    csrf_token: str
    address: str
    person: Person | None


@dataclass(frozen=True, kw_only=True)
class Visitors:
    """Recognises visitors, reads their forms, shows them pages. May raise `StoreUnavailable`."""

    cookie: SessionCookie
    csrf: Csrf
    sessions: Sessions
    users: Users
    callers: Callers
    vouched: VouchedNames
    max_body_bytes: int

    async def meet(self, request: web.Request) -> Visitor:
        """Recognise the sender of `request`."""
        sent = self.cookie.read(request)
        cookie = sent or new_value()
        return Visitor(
            request=request,
            sent_cookie=sent,
            cookie=cookie,
            csrf_token=self.csrf.token(cookie),
            address=self.callers.address(request),
            person=None if sent is None else await self._person(request, sent),
        )

    async def read(self, request: web.Request) -> tuple[Visitor, dict[str, str]]:
        """Read a form that may be out of date: change nothing by it unless it `is_own`.

        Raises `PageError` for a form that cannot be read, or that another site has sent.
        """
        fields = await read_fields(request, self.max_body_bytes)
        request[USER_CODE] = fields.get("user_code", "")
        self.csrf.check_origin(request)
        return await self.meet(request), fields

    def is_own(self, visitor: Visitor, fields: Mapping[str, str]) -> bool:
        """Say whether a page of this server made the form for this visitor."""
        if visitor.sent_cookie is None:
            return False
        return self.csrf.is_token_of(visitor.sent_cookie, fields.get("csrf_token", ""))

    async def introduce(self, request: web.Request) -> Mapping[str, Any]:
        """Say who the sender is, for a page that has no form but that for signing out."""
        visitor = await self.meet(request)
        return {"person": visitor.person, "csrf_token": visitor.csrf_token}

    def show(
        self,
        visitor: Visitor,
        template: str,
        context: Mapping[str, Any],
        *,
        status: int = 200,
        policy: Mapping[str, str] | None = None,
    ) -> web.Response:
        """Answer with a page whose forms are the visitor's own. `policy`: as in `render`."""
        own = {"csrf_token": visitor.csrf_token, "person": visitor.person}
        context = own | dict(context)
        response = render(visitor.request, template, context, status=status, policy=policy)
        if visitor.sent_cookie is None:
            self.cookie.write(response, visitor.cookie)
        return response

    async def _person(self, request: web.Request, session_id: str) -> Person | None:
        """Find who signed in; an account disabled or replaced since then is signed out at once.

        So is one whose sessions were ended since the sign-in began, or whose password was changed
        in the file, and one for whom an authenticating proxy no longer vouches, but for somebody
        else.
        """
        session = await self.sessions.get(session_id)
        if session is None:
            return None
        account = await self.users.find(session.username)
        if account is None or not account.allows_session(session):
            return None
        if self.vouched.contradicts(request, account.username):
            return None
        return Person(account=account, session=session)
