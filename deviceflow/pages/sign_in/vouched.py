"""Sign in as the person for whom an authenticating proxy vouches."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.codes import Codes
from deviceflow.pages.onward import Onward
from deviceflow.pages.sign_in.arrival import Arrival, lead_foreign
from deviceflow.pages.sign_in.failures import SignInFailures
from deviceflow.pages.visitor import Visitors
from deviceflow.pages.vouched import VouchedNames
from deviceflow.store.accounts import Account
from deviceflow.store.users import Users

PROXY_PATH = "/login/proxy"

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class VouchedStep:
    """POST `/login/proxy`: the button of `/login` that says who it is.

    A button, because a GET changes nothing: no page of another site signs a person in.
    `creates`: whether a person without an account gets one.
    """

    visitors: Visitors
    codes: Codes
    names: VouchedNames
    users: Users
    creates: bool
    arrival: Arrival
    recorder: Recorder
    failures: SignInFailures
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post(PROXY_PATH, self.sign_in)]

    async def sign_in(self, request: web.Request) -> web.Response:
        """Go on as the person whom the proxy names now, or lead back to `/login`."""
        visitor, fields = await self.visitors.read(request)
        onward = Onward.of(self.codes, fields)
        if not self.visitors.is_own(visitor, fields):
            return lead_foreign(visitor, onward)
        name = self.names.name(request)
        account = await self._account(name) if name else None
        if account is None or account.disabled:
            self.recorder.count(table.SIGN_INS, "failed")
            log.info("sign_in.vouched_refused", named=bool(name), address=visitor.address)
            if account is None:
                await self.failures.of_name(name, "proxy", "no such account")
            else:
                self.failures.of(account.sub, "proxy", "the account is disabled")
            return onward.detour(request, "/login", notice="vouched")
        return await self.arrival.first(visitor, account, onward, amr=())

    async def _account(self, name: str) -> Account | None:
        account = await self.users.find_typed(name)
        if account is None and self.creates:
            log.info("account.created", by="proxy")
            created = await self.users.create(name)
            if created is not None:
                self.audit.record(SecurityEvent.ACCOUNT_ADDED, sub=created.sub, way="proxy")
            return created
        return account
