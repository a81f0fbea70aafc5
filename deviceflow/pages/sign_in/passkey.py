"""Sign in by a passkey, without a user name: it says whose it is."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.core.assurance import PASSKEY
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.ceremonies import Ceremonies, CeremonyRefused
from deviceflow.pages.codes import Codes
from deviceflow.pages.onward import Onward
from deviceflow.pages.sign_in.arrival import Arrival, lead_foreign
from deviceflow.pages.sign_in.failures import SignInFailures
from deviceflow.pages.visitor import Visitors

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class PasskeyStep:
    """POST `/login/passkey`: the form that the script of `/login` fills in and sends."""

    visitors: Visitors
    codes: Codes
    ceremonies: Ceremonies
    arrival: Arrival
    recorder: Recorder
    failures: SignInFailures

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post("/login/passkey", self.sign_in)]

    async def sign_in(self, request: web.Request) -> web.Response:
        """Start a session, or lead back to `/login`, which says that the passkey did not work."""
        visitor, fields = await self.visitors.read(request)
        onward = Onward.of(self.codes, fields)
        if not self.visitors.is_own(visitor, fields):
            return lead_foreign(visitor, onward)
        try:
            credential = fields.get("credential", "")
            account = await self.ceremonies.sign_in(visitor.cookie, credential)
        except CeremonyRefused as refusal:
            self.recorder.count(table.SIGN_INS, "failed")
            log.info("sign_in.passkey_refused", reason=str(refusal), address=visitor.address)
            self.failures.of("", "passkey", str(refusal))
            return onward.detour(request, "/login", notice="passkey")
        return await self.arrival.finish(visitor, account, onward, amr=PASSKEY)
