"""Signing in to the console with a token, and signing out."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.admin.console.frame import SIGN_IN, Frame, lead_to, read_console_form
from deviceflow.admin.console.templates import ROOT
from deviceflow.admin.operators import OPERATOR
from deviceflow.admin.tokens import AdminTokens
from deviceflow.audit.events import SecurityEvent, by_token
from deviceflow.audit.journal import Audit

log = structlog.get_logger()

CHECK = "check"
"""The query that asks whether the browser has kept the cookie."""


@dataclass(frozen=True, kw_only=True)
class ConsoleSignIn:
    """The page for the token."""

    frame: Frame
    tokens: AdminTokens
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/sign-in", self.show),
            web.post("/sign-in", self.sign_in),
            web.post("/sign-out", self.sign_out),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Show the form, or go on if there is a session."""
        if OPERATOR in request:
            return lead_to(ROOT)
        return self._form(request, "cookie" if CHECK in request.query else "")

    async def sign_in(self, request: web.Request) -> web.Response:
        """Begin a session, if it is a token of the file."""
        form = await read_console_form(request)
        operator = self.tokens.name_of(form.get("token", "").strip())
        if operator is None:
            log.warning("console.sign_in_refused", address=request.remote or "a Unix socket")
            self.audit.record(
                SecurityEvent.OPERATOR_REFUSED,
                outcome="failure",
                way="console",
                address=request.remote or "",
            )
            return self._form(request, "token", 403)
        log.info("console.signed_in", operator=operator, address=request.remote)
        self._record(request, SecurityEvent.OPERATOR_SIGNED_IN, operator)
        response = lead_to(f"{SIGN_IN}?{CHECK}")
        self.frame.sessions.begin(response, operator)
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session."""
        await self.frame.read(request)
        self._record(request, SecurityEvent.OPERATOR_SIGNED_OUT, request[OPERATOR])
        response = lead_to(SIGN_IN)
        self.frame.sessions.end(response)
        return response

    def _record(self, request: web.Request, event: SecurityEvent, operator: str) -> None:
        self.audit.record(event, by=by_token(operator), address=request.remote or "")

    def _form(self, request: web.Request, problem: str, status: int = 200) -> web.Response:
        return self.frame.show(request, "sign_in.html", {"problem": problem}, status)
