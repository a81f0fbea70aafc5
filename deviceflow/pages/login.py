"""Sign in and sign out."""

import time
from collections.abc import Callable
from urllib.parse import urlencode

import structlog
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.core.client import Clients
from deviceflow.pages.codes import Codes
from deviceflow.pages.form import read_form
from deviceflow.pages.render import see_other
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitor, Visitors
from deviceflow.store.limits import Limits
from deviceflow.store.sessions import Sessions
from deviceflow.store.users import Users

WRONG = 403
"""The status of a sign-in that failed: RFC 9110 gives 401 to those who name a scheme of HTTP
authentication to try next, which a form is not; 403 is "credentials were considered
insufficient". It is the same for an unknown, a wrong and a disabled one."""

INCOMPLETE = 400

_log = structlog.get_logger(__name__)


class LoginPages:
    """GET and POST `/login`, GET and POST `/logout`. `clock` gives s since 1970."""

    def __init__(
        self,
        settings: Settings,
        *,
        clients: Clients,
        users: Users,
        sessions: Sessions,
        limits: Limits,
        csrf_key: Callable[[], bytes],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._max_bytes = settings.server.max_body_bytes
        self._visitors = Visitors(settings, sessions, users, csrf_key)
        self._codes = Codes(settings.device.user_code, clients)
        self._users = users
        self._sessions = sessions
        self._throttle = Throttle(limits, settings.device.lifetime_s)
        self._clock = clock

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
        visitor = await self._visitors.meet(request)
        code = self._codes.carry(request.query.get("user_code", ""))
        if visitor.person is not None:
            return see_other(request, with_code("/device", code))
        return self._show(request, visitor, code)

    async def sign_in(self, request: web.Request) -> web.Response:
        """Start a session under a new id, or show the form again."""
        form = await read_form(request, self._max_bytes)
        visitor = await self._visitors.meet(request)
        self._visitors.csrf.check(request, visitor.sent_cookie, form.get("csrf_token", ""))
        code = self._codes.carry(form.get("user_code") or request.query.get("user_code", ""))
        username, password = form.get("username", "").strip(), form.get("password", "")
        if not username or not password:
            return self._show(request, visitor, code, username, INCOMPLETE)
        await self._throttle.sign_in(username, visitor.address)
        account = await self._users.verify(username, password)
        if account is None:
            _log.info("sign_in.failed", address=visitor.address)
            return self._show(request, visitor, code, username, WRONG)
        if visitor.sent_cookie is not None:
            await self._sessions.end(visitor.sent_cookie)
        now = int(self._clock())
        session_id = await self._sessions.start(account.username, account.sub, now)
        response = see_other(request, with_code("/device", code))
        self._visitors.cookie.write(response, session_id)
        return response

    async def ask_to_leave(self, request: web.Request) -> web.Response:
        """Show the button that signs out, or say that nobody is signed in."""
        visitor = await self._visitors.meet(request)
        return self._visitors.show(request, visitor, "logout.html", {})

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session, here and in the store."""
        form = await read_form(request, self._max_bytes)
        visitor = await self._visitors.meet(request)
        self._visitors.csrf.check(request, visitor.sent_cookie, form.get("csrf_token", ""))
        if visitor.sent_cookie is not None:
            await self._sessions.end(visitor.sent_cookie)
        response = see_other(request, "/logout")
        self._visitors.cookie.remove(response)
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
        return self._visitors.show(request, visitor, "login.html", context, status=status)


def with_code(path: str, code: str) -> str:
    """Write the address of one of our pages, with the code that a person came with, if any."""
    return f"{path}?{urlencode({'user_code': code})}" if code else path
