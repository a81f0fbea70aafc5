"""The page on which a browser works for one more code, while guessers are at work.

Its script finds the answer to a challenge. A person without the script waits instead: the page says
for how long.
"""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.codes import Codes
from deviceflow.pages.device.proofs import ANSWER_FIELD, CHALLENGE_FIELD, Proofs
from deviceflow.pages.errors import waiting
from deviceflow.pages.pause import PROOF_PATH, Pauses
from deviceflow.pages.redirect import see_other
from deviceflow.pages.visitor import Visitors

SCRIPT_POLICY = {"script-src": "'self'"}
"""The policy of the page: its script is `proof.js`."""


@dataclass(frozen=True, kw_only=True)
class ProofPage:
    """GET `/device/proof`. Its form goes to `/device`, with the code that was typed."""

    visitors: Visitors
    codes: Codes
    pauses: Pauses
    proofs: Proofs

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.get(PROOF_PATH, self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """Show the page while the pause lasts; else lead to the form."""
        visitor = await self.visitors.meet(request)
        code = self.codes.carry(request.query.get("user_code", ""))
        if visitor.person is None:
            return see_other(request, "/login", code)
        wait_s = self.pauses.left_s(visitor, PROOF_PATH)
        if not (wait_s and code and self.proofs.bits):
            return see_other(request, "/device", code)
        context = {
            "user_code": code,
            # As it was sent: a code that has to be typed must not come from a link by this way.
            "is_filled_in": request.query.get("note") == "link",
            "challenge": self.proofs.make(visitor, visitor.person),
            "challenge_field": CHALLENGE_FIELD,
            "answer_field": ANSWER_FIELD,
            "bits": self.proofs.bits,
            "wait": waiting(wait_s),
        }
        response = self.visitors.show(
            visitor, "device/proof.html", context, status=429, policy=SCRIPT_POLICY
        )
        response.headers["Retry-After"] = str(wait_s)
        return response
