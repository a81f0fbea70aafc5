"""The end of every way in: a session under a new id."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.core.assurance import acr_of
from deviceflow.core.clock import Clock
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.redirect import see_other
from deviceflow.pages.visitor import Visitor
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
        page: str = "/device",
        auth_time: int | None = None,
    ) -> web.Response:
        """Sign `visitor` in to `account`, and continue with the code that the person came with.

        `amr`, `acr`: how the person signed in, as tokens will say it (RFC 9068 2.2.1). Without
        `acr`, it follows from `amr`. `page`: the path to continue at. `auth_time`: when the person
        signed in (s), None for now; the oldest factor counts.

        A session that the browser had before ends: a value that someone planted in the browser
        never becomes a session's id.
        """
        if visitor.sent_cookie is not None:
            await self.sessions.end(visitor.sent_cookie)
        when = int(self.clock()) if auth_time is None else auth_time
        session = Session(account.username, account.sub, when, amr, acr or acr_of(amr))
        session_id = await self.sessions.start(session)
        response = see_other(visitor.request, page, user_code)
        self.cookie.write(response, session_id)
        return response
