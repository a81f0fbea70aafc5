"""Sign in by username and password."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.core.assurance import BY_PASSWORD
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.ceremonies import PASSKEY_POLICY, Ceremonies
from deviceflow.pages.codes import Codes
from deviceflow.pages.known_browser import KnownBrowsers
from deviceflow.pages.onward import Onward
from deviceflow.pages.password_check import PasswordCheck
from deviceflow.pages.pause import PauseNote, Pauses
from deviceflow.pages.sign_in.arrival import Arrival
from deviceflow.pages.sign_in.failures import SignInFailures
from deviceflow.pages.sign_in.typed_name import TypedName
from deviceflow.pages.throttle import Throttle, account_key
from deviceflow.pages.visitor import Visitor, Visitors
from deviceflow.pages.vouched import VouchedNames
from deviceflow.policy.tries import TooManyTries
from deviceflow.upstream.providers import Providers

REFUSED = 403
"""The status of a sign-in that failed, the same for an unknown, a wrong and a disabled one.

RFC 9110 gives 401 to clients that name a scheme of HTTP authentication to try next, which a form is
not; 403 is "credentials were considered insufficient"."""

INCOMPLETE = 400
"""The status of a form without a username or a password."""

_PROBLEMS = {
    "incomplete": INCOMPLETE,
    "wrong": REFUSED,
    "outdated": REFUSED,
    "stale": REFUSED,
    "no_cookie": REFUSED,
    "paused": REFUSED,
    "passkey": REFUSED,
    "vouched": REFUSED,
}
"""The problems of a form that was sent, and the status of the page that tells them."""

_NOTICES = {"ended", "switched"}
"""What another page may have to say here: the session is over, or the person has ended it."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class PasswordPage:
    """GET and POST `/login`.

    A form that failed is shown again by a GET, so that Back and reload show a page, and no reload
    is a guess. What went wrong is in the address, in a word of this file. The password is nowhere.

    `providers`: their buttons are below the form. `has_form`: False where people only use those.
    """

    visitors: Visitors
    codes: Codes
    throttle: Throttle
    pauses: Pauses
    known_browsers: KnownBrowsers
    typed_name: TypedName
    check: PasswordCheck
    arrival: Arrival
    ceremonies: Ceremonies | None
    vouched: VouchedNames
    recorder: Recorder
    providers: Providers
    has_form: bool
    failures: SignInFailures

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get("/login", self.ask), web.post("/login", self.sign_in)]

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form; a person who is signed in goes on."""
        visitor = await self.visitors.meet(request)
        onward = Onward.of(self.codes, request.query)
        notice = "paused" if "pause" in request.query else request.query.get("notice", "")
        username = self.typed_name.read(request) if notice in _PROBLEMS else ""
        if _is_signed_in_as(visitor, username) and not onward.is_again:
            return onward.go_on(request)
        self.pauses.check(visitor, "/login")
        if onward.is_again and visitor.person and not username:
            username = visitor.person.account.username
        return self._form(visitor, onward, username, notice)

    async def sign_in(self, request: web.Request) -> web.Response:
        """Start a session, or lead back to the form."""
        visitor, fields = await self.visitors.read(request)
        onward = Onward.of(self.codes, fields, request.query)
        if not self.has_form:
            return onward.detour(request, "/login", notice="stale")
        username, password = fields.get("username", "").strip(), fields.get("password", "")
        problem = self._problem_of_form(visitor, fields)
        if problem and _is_signed_in_as(visitor, username):
            # The same form, sent twice or in a second tab: it has been carried out.
            return onward.go_on(request)
        if not problem and not (username and password):
            problem = "incomplete"
        if problem:
            again = onward.detour(request, "/login", notice=problem)
            return self._keep_name(visitor, again, username)
        name = account_key(username)
        browser = self.known_browsers.mark(request, name)
        try:
            attempt = await self.throttle.sign_in(name, visitor.address, browser)
        except TooManyTries as refusal:
            note: PauseNote = "known" if browser is not None else ""
            code, wait_s = onward.user_code, refusal.wait_s
            later = self.pauses.lead(visitor, "/login", wait_s, code, note)
            return self._keep_name(visitor, later, username)
        account = await self.check.account_of(visitor, attempt, username, password)
        if account is None:
            self.recorder.count(table.SIGN_INS, "failed")
            log.info("sign_in.failed", address=visitor.address)
            await self.failures.of_name(username, way="password")
            again = onward.detour(request, "/login", notice="wrong")
            return self._keep_name(visitor, again, username)
        return await self.arrival.first(visitor, account, onward, amr=BY_PASSWORD)

    def _problem_of_form(self, visitor: Visitor, fields: Mapping[str, str]) -> str:
        """Say why the form does not count, empty if it does: not this visitor's, or out of date."""
        if visitor.sent_cookie is None:
            return "no_cookie"
        token = fields.get("csrf_token", "")
        return "" if self.visitors.csrf.is_token_of(visitor.sent_cookie, token) else "outdated"

    def _keep_name(self, visitor: Visitor, response: web.Response, username: str) -> web.Response:
        """Keep the name for the form that is shown next, which is of this visitor's cookie."""
        self.typed_name.write(response, username)
        if visitor.sent_cookie is None:
            self.visitors.cookie.write(response, visitor.cookie)
        return response

    def _form(self, visitor: Visitor, onward: Onward, username: str, notice: str) -> web.Response:
        context = {
            "onward": onward,
            "username": username,
            "problem": notice if notice in _PROBLEMS else "",
            "notice": notice if notice in _NOTICES else "",
            "has_form": self.has_form,
            "providers": [provider.upstream for provider in self.providers],
            "passkey_options": self._passkey_options(visitor),
            "vouched": self.vouched.name(visitor.request),
        }
        return self.visitors.show(
            visitor,
            "sign_in/password.html",
            context,
            status=_PROBLEMS.get(notice, 200),
            policy=PASSKEY_POLICY if context["passkey_options"] else None,
        )

    def _passkey_options(self, visitor: Visitor) -> str:
        """Return the options for a sign-in by passkey, empty if there are no passkeys."""
        if self.ceremonies is None:
            return ""
        return self.ceremonies.sign_in_options(visitor.cookie)


def _is_signed_in_as(visitor: Visitor, username: str) -> bool:
    """Say whether the visitor is signed in, and has not typed the name of another account."""
    if visitor.person is None:
        return False
    typed, own = account_key(username), account_key(visitor.person.account.username)
    return not username or typed == own
