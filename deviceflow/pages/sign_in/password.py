"""Sign in and sign out."""

from dataclasses import dataclass
from urllib.parse import urlencode

import structlog
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core.clock import Clock
from deviceflow.pages.device.codes import Codes
from deviceflow.pages.form import read_form
from deviceflow.pages.render import see_other
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitor, Visitors
from deviceflow.store.sessions import Sessions
from deviceflow.store.users import Users

WRONG = 403
"""The status of a sign-in that failed: RFC 9110 gives 401 to those who name a scheme of HTTP
authentication to try next, which a form is not; 403 is "credentials were considered
insufficient". It is the same for an unknown, a wrong and a disabled one."""

INCOMPLETE = 400

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoginPages:
    """GET and POST `/login`, GET and POST `/logout`. `clock` gives s since 1970."""

    settings: Settings
    visitors: Visitors
    codes: Codes
    throttle: Throttle
    users: Users
    sessions: Sessions
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/login", self.ask),
            web.post("/login", self.sign_in),
            web.get("/logout", self.ask_to_leave),
            web.post("/logout", self.sign_out),
        ]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form; somebody who is signed in goes on."""
        visitor = await self.visitors.meet(request)
        code = self.codes.carry(request.query.get("user_code", ""))
        if visitor.person is not None:
            return see_other(request, with_code("/device", code))
        return self._show(request, visitor, code)

    async def sign_in(self, request: web.Request) -> web.Response:
        """Start a session under a new id, or show the form again."""
        form = await read_form(request, self.settings.server.max_body_bytes)
        visitor = await self.visitors.meet(request)
        self.visitors.csrf.check(request, visitor.sent_cookie, form.get("csrf_token", ""))
        code = self.codes.carry(form.get("user_code") or request.query.get("user_code", ""))
        username, password = form.get("username", "").strip(), form.get("password", "")
        if not username or not password:
            return self._show(request, visitor, code, username, INCOMPLETE)
        await self.throttle.sign_in(username, visitor.address)
        account = await self.users.verify(username, password)
        if account is None:
            _log.info("sign_in.failed", address=visitor.address)
            return self._show(request, visitor, code, username, WRONG)
        if visitor.sent_cookie is not None:
            await self.sessions.end(visitor.sent_cookie)
        now = int(self.clock())
        session_id = await self.sessions.start(account.username, account.sub, now)
        response = see_other(request, with_code("/device", code))
        self.visitors.cookie.write(response, session_id)
        return response

    async def ask_to_leave(self, request: web.Request) -> web.Response:
        """Show the button that signs out, or say that nobody is signed in."""
        visitor = await self.visitors.meet(request)
        return self.visitors.show(request, visitor, "logout.html", {})

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session, here and in the store."""
        form = await read_form(request, self.settings.server.max_body_bytes)
        visitor = await self.visitors.meet(request)
        self.visitors.csrf.check(request, visitor.sent_cookie, form.get("csrf_token", ""))
        if visitor.sent_cookie is not None:
            await self.sessions.end(visitor.sent_cookie)
        response = see_other(request, "/logout")
        self.visitors.cookie.remove(response)
        return response

    def _show(
        self,
        request: web.Request,
        visitor: Visitor,
        code: str,
        username: str = "",
        status: int = 200,
    ) -> web.Response:
        problem = {INCOMPLETE: "incomplete", WRONG: "wrong"}.get(status, "")
        context = {"user_code": code, "username": username, "problem": problem}
        return self.visitors.show(request, visitor, "login.html", context, status=status)


def with_code(path: str, code: str) -> str:
    """Write the address of one of our pages, with the code that a person came with, if any."""
    return f"{path}?{urlencode({'user_code': code})}" if code else path
