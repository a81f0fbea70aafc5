"""Sign out: here, and at the provider at which the person signed in."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.pages.codes import Codes
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.leave import leave
from deviceflow.pages.redirect import see_other
from deviceflow.pages.visitor import Visitor, Visitors
from deviceflow.store.sessions import Session, Sessions
from deviceflow.upstream.errors import UpstreamError
from deviceflow.upstream.providers import Providers

_CODE_KEPT_S = 600

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class SignOutPage:
    """GET and POST `/logout`."""

    visitors: Visitors
    codes: Codes
    sessions: Sessions
    cookie: SessionCookie
    providers: Providers
    issuer: str
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/logout", self.ask), web.post("/logout", self.sign_out)]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the button that signs out, or say that no one is signed in."""
        visitor = await self.visitors.meet(request)
        kept = request.cookies.get(self._code_cookie, "") if visitor.person is None else ""
        code = self.codes.carry(request.query.get("user_code", kept))
        return self.visitors.show(visitor, "account/sign_out.html", {"user_code": code})

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session, here and in the store. A code on the page stays with the person.

        A person who is signed out already gets the same answer, whatever the form's age. A form
        from before another sign-in is answered with the page again, which says who is signed in.
        """
        visitor, fields = await self.visitors.read(request)
        code = self.codes.carry(fields.get("user_code", ""))
        if visitor.person is None or not self.visitors.is_own(visitor, fields):
            return see_other(request, "/logout", code)
        if visitor.sent_cookie is not None:
            await self.sessions.end(visitor.sent_cookie)
        self.audit.record(SecurityEvent.SESSION_ENDED, sub=visitor.person.account.sub, way="page")
        response = await self._leave(visitor, visitor.person.session)
        if response is None:
            response = see_other(request, "/logout", code)
        else:
            self._keep(response, code)
        self.cookie.remove(response)
        return response

    async def _leave(self, visitor: Visitor, session: Session) -> web.Response | None:
        """Lead on to the provider's own sign-out, which leads back; None if there is none.

        OpenID Connect RP-Initiated Logout 1.0. The session here has ended, whatever comes there.
        """
        origin = session.upstream
        provider = self.providers.find(origin.provider) if origin else None
        if origin is None or provider is None:
            return None
        try:
            address = await provider.end_session_url(origin.id_token, f"{self.issuer}/logout")
        except UpstreamError as error:
            log.warning(
                "upstream.failed",
                upstream=origin.provider,
                cause=error.cause.value,
                detail=error.detail,
            )
            return None
        return leave(visitor.request, address, provider.upstream.title) if address else None

    def _keep(self, response: web.Response, code: str) -> None:
        """Keep the code, empty for none, for the page to which the provider leads back.

        That address is registered there, so nothing can be added to it.
        """
        response.set_cookie(
            self._code_cookie,
            code,
            max_age=_CODE_KEPT_S if code else 0,
            path="/",
            secure=self.cookie.https,
            httponly=True,
            samesite="Lax",
        )

    @property
    def _code_cookie(self) -> str:
        return f"{self.cookie.name}-code"
