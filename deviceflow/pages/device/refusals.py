"""Why a code that was sent leads nowhere: found out by a POST, said by the page after it.

Only the POST has looked the code up, and it was counted as a guess. The page that says so looks
nothing up, so it can be reloaded as often as one likes: it believes the seal of the POST.
"""

from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from deviceflow.pages.redirect import see_other
from deviceflow.pages.seal import Seal
from deviceflow.pages.visitor import Visitor

_LONGEST = 64


class Reason(StrEnum):
    """Why no request is shown."""

    UNUSABLE = "unusable"
    MUST_TYPE = "must_type"
    CLAIMED = "claimed"
    UNAVAILABLE = "unavailable"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Refusal:
    """A reason, and the code as the person typed it."""

    reason: Reason
    typed: str


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """Leads to the page that says why, and tells that page what was found out."""

    seal: Seal

    def lead(self, visitor: Visitor, reason: Reason, text: str) -> web.Response:
        """Continue at the form if a code has to be typed again, else at the last page."""
        path = "/device" if reason in {Reason.UNUSABLE, Reason.MUST_TYPE} else "/device/done"
        typed = " ".join(text.split())[:_LONGEST]
        seal = self.seal.make(visitor.cookie, reason, typed)
        return see_other(visitor.request, path, typed=typed, because=reason, seal=seal)

    def read(self, visitor: Visitor) -> Refusal | None:
        """Return what a POST of this visitor has found out, None for any other address."""
        query = visitor.request.query
        typed, because = query.get("typed", ""), query.get("because", "")
        if because not in set(Reason):
            return None
        if not self.seal.holds(query.get("seal", ""), visitor.cookie, because, typed):
            return None
        return Refusal(Reason(because), typed)
