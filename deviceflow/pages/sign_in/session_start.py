"""The end of every way in: a session under a new id."""

from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from deviceflow.core.assurance import acr_of
from deviceflow.core.clock import Clock
from deviceflow.core.device_description import describe
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.redirect import see_other
from deviceflow.pages.visitor import Visitor
from deviceflow.pages.way_back import WayBack
from deviceflow.store.accounts import Account
from deviceflow.store.sessions import Session, Sessions

DEVICE = "/device"
"""Where a person goes on who was going nowhere else."""


class StartedSession(NamedTuple):
    """A session that has begun, and the answer that gives its id to the browser."""

    response: web.Response
    session_id: str


@dataclass(frozen=True, kw_only=True)
class SessionStart:
    """Starts sessions. May raise `StoreUnavailable`."""

    sessions: Sessions
    cookie: SessionCookie
    clock: Clock

    async def start(
        self,
        visitor: Visitor,
        account: Account,
        user_code: str,
        *,
        amr: tuple[str, ...],
        acr: str | None = None,
        page: str = DEVICE,
        auth_time: int | None = None,
    ) -> web.Response:
        """Sign `visitor` in to `account`, and continue with the code that the person came with.

        Without a code, continue at the page of the account that the person was going to, if any.

        `amr`, `acr`: how the person signed in, as tokens will say it (RFC 9068 2.2.1). Without
        `acr`, it follows from `amr`. `page`: the path to continue at. `auth_time`: when the person
        signed in (s), None for now; the oldest factor counts.

        A session that the browser had before ends: a value that someone planted in the browser
        never becomes a session's id.
        """
        session = Session(
            account.username,
            account.sub,
            int(self.clock()) if auth_time is None else auth_time,
            amr,
            acr or acr_of(amr),
            browser=describe(visitor.request.headers.get("User-Agent", "")).stored,
            address=visitor.address,
            mark=account.marks.sessions,
            credential=account.file_credential,
        )
        return (await self.begin(visitor, session, user_code, page)).response

    async def begin(
        self, visitor: Visitor, session: Session, user_code: str, page: str = DEVICE
    ) -> StartedSession:
        """Do the same with a session that says by itself when and how the person signed in."""
        if visitor.sent_cookie is not None:
            await self.sessions.end(visitor.sent_cookie)
        session_id = await self.sessions.start(session)
        way_back = WayBack(cookie=self.cookie)
        if page == DEVICE and not user_code:
            page = way_back.path(visitor.request)
        response = see_other(visitor.request, page, user_code)
        way_back.forget(visitor.request, response)
        self.cookie.write(response, session_id)
        self.cookie.forget_end(response)
        return StartedSession(response, session_id)
