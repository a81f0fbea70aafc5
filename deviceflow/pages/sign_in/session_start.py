"""The end of every way in: a session under a new id."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.core.clock import Clock
from deviceflow.core.device_description import describe
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.redirect import see_other
from deviceflow.pages.visitor import Visitor
from deviceflow.pages.way_back import WayBack
from deviceflow.store.sessions import Session, Sessions
from deviceflow.store.users import Account


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
    ) -> web.Response:
        """Sign `visitor` in to `account`, and continue with the code that the person came with.

        Without a code, continue at the page of the account that the person was going to, if any.

        `amr`, `acr`: how the person signed in, as tokens will say it (RFC 9068 2.2.1).

        A session that the browser had before ends: a value that someone planted in the browser
        never becomes a session's id.
        """
        if visitor.sent_cookie is not None:
            await self.sessions.end(visitor.sent_cookie)
        now = int(self.clock())
        session = Session(
            account.username,
            account.sub,
            now,
            amr,
            acr,
            browser=describe(visitor.request.headers.get("User-Agent", "")).stored,
            address=visitor.address,
        )
        session_id = await self.sessions.start(session)
        way_back = WayBack(cookie=self.cookie)
        path = "/device" if user_code else way_back.path(visitor.request)
        response = see_other(visitor.request, path, user_code)
        way_back.forget(visitor.request, response)
        self.cookie.write(response, session_id)
        return response
