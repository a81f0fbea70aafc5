"""Change the password: with the old one, and a sign-in that is a few minutes old."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.precis import MIN_PASSWORD, prepare_password, prepare_username
from deviceflow.pages.account.owner import Owner, Owners
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.known_browser import KnownBrowsers
from deviceflow.pages.password_check import PasswordCheck
from deviceflow.pages.throttle import Throttle, account_key
from deviceflow.policy.tries import TooManyTries
from deviceflow.store.person_access import PersonAccess
from deviceflow.store.users import Users

DISCONNECT = "disconnect"
"""The value of the field `devices`, if the person wants to disconnect them, too."""

CHANGE_PATH = "/account/security/password"

_PROBLEMS = {
    "incomplete": 400,
    "short": 400,
    "name": 400,
    "same": 400,
    "different": 400,
    "wrong": 403,
    "paused": 429,
}
"""The problems of a form that was sent, and the status of the page that tells them."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class ChangePasswordPage:
    """GET and POST `/account/security/password`."""

    owners: Owners
    users: Users
    check: PasswordCheck
    access: PersonAccess
    cookie: SessionCookie
    throttle: Throttle
    known_browsers: KnownBrowsers
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get(CHANGE_PATH, self.show), web.post(CHANGE_PATH, self.change)]

    async def show(self, request: web.Request) -> web.Response:
        """Show the form."""
        owner = await self.owners.meet_fresh(request)
        if isinstance(owner, web.Response):
            return owner
        if not owner.person.account.password_hash:
            return self.owners.lead(owner)
        notice = request.query.get("notice", "")
        problem = notice if notice in _PROBLEMS else ""
        context = {"problem": problem, "shortest": MIN_PASSWORD, "disconnect": DISCONNECT}
        status = _PROBLEMS.get(problem, 200)
        return self.owners.show(owner, "account/password.html", context, status=status)

    async def change(self, request: web.Request) -> web.Response:
        """Store the new password, or lead back to the form."""
        owner = await self.owners.read(request)
        if isinstance(owner, web.Response):
            return owner
        problem = _problem_of(owner) or await self._problem_of_old(owner)
        if problem:
            return self.owners.lead(owner, CHANGE_PATH, notice=problem)
        # As it is now: `verify` may have stored another hash of the old password.
        account = await self.users.find(owner.person.account.username)
        new = owner.fields["new_password"]
        if (
            account is None
            or account.sub != owner.sub
            or not await self.users.change_password(account, new)
        ):
            return self.owners.lead(owner, notice="outdated")
        log.info("account.changed", change="password", address=owner.visitor.address)
        self.audit.record(SecurityEvent.PASSWORD_CHANGED, sub=owner.sub, way="page")
        return await self._end_other_access(owner)

    async def _end_other_access(self, owner: Owner) -> web.Response:
        """Sign out all other browsers: a thief of the old password may be signed in there.

        Devices stay connected, unless the person has asked for more.
        """
        account, notice = owner.person.account, "password_changed"
        kept, _ = await self.access.sign_out_elsewhere(
            account, owner.visitor.cookie, owner.person.session
        )
        if owner.fields.get("devices") == DISCONNECT:
            number = await self.access.disconnect_all(account)
            log.info("devices.disconnected", sub=owner.sub, devices=number)
            self.audit.record(
                SecurityEvent.DEVICE_DISCONNECTED, sub=owner.sub, number=number, way="page"
            )
            notice = "password_changed_all"
        response = self.owners.lead(owner, notice=notice)
        self.cookie.write(response, kept)
        return response

    async def _problem_of_old(self, owner: Owner) -> str:
        """Check the old password: a guess like one at sign-in, and counted like that."""
        username = owner.person.account.username
        name, address = account_key(username), owner.visitor.address
        browser = self.known_browsers.mark(owner.visitor.request, name)
        try:
            attempt = await self.throttle.sign_in(name, address, browser)
        except TooManyTries:
            return "paused"
        old = owner.fields["password"]
        account = await self.check.account_of(owner.visitor, attempt, username, old)
        if account is None:
            self.audit.record(
                SecurityEvent.SIGN_IN_FAILED, outcome="failure", way="old_password", sub=owner.sub
            )
        return "wrong" if account is None else ""


def _problem_of(owner: Owner) -> str:
    """Say what is wrong with what was typed, empty for nothing."""
    old, new, repeated = (
        owner.fields.get(name, "") for name in ("password", "new_password", "repeated_password")
    )
    if not (old and new):
        return "incomplete"
    if len(new) < MIN_PASSWORD:
        return "short"
    if new != repeated:
        return "different"
    if _folded(new) == _folded(owner.person.account.username):
        return "name"
    return "same" if (prepare_password(new) or new) == (prepare_password(old) or old) else ""


def _folded(text: str) -> str:
    return prepare_username(text) or text.casefold()
