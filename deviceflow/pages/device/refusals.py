"""Why a code that was sent leads nowhere: found out by a POST, said by the page after it.

Only the POST has looked the code up, and it was counted as a guess. The page that says so looks
nothing up, so it can be reloaded as often as one likes: it believes the seal of the POST.

Addresses stand in histories and in the logs of proxies. So an address repeats what was typed only
as far as it is a code or a piece of one: a person may have typed a password into the wrong field.
"""

from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.codes import Codes
from deviceflow.pages.device.submission import Submission
from deviceflow.pages.redirect import see_other
from deviceflow.pages.seal import Seal
from deviceflow.pages.visitor import Visitor


class Reason(StrEnum):
    """Why no request is shown."""

    UNUSABLE = "unusable"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    MUST_TYPE = "must_type"
    CLAIMED = "claimed"
    UNAVAILABLE = "unavailable"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    OUTSIDE = "outside"
    TOO_MANY = "too_many"
    FAR = "far"


TO_TYPE_AGAIN = frozenset({Reason.UNUSABLE, Reason.TOO_SHORT, Reason.TOO_LONG, Reason.MUST_TYPE})
"""The reasons for which the form is shown again."""

_RULES = {Reason.OUTSIDE: "network", Reason.TOO_MANY: "too_many"}
"""The reasons that are rules about approvals, by their names in metrics and in the audit."""


@dataclass(frozen=True)
class Refusal:
    """A reason, and what the person typed, as `Codes.repeat` writes it."""

    reason: Reason
    typed: str


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """Leads to the page that says why, and tells that page what was found out."""

    seal: Seal
    codes: Codes
    recorder: Recorder
    audit: Audit

    def lead(self, visitor: Visitor, reason: Reason, text: str) -> web.Response:
        """Continue at the form if a code has to be typed again, else at the last page."""
        path = "/device" if reason in TO_TYPE_AGAIN else "/device/done"
        typed = self.codes.repeat(text)
        seal = self.seal.make(visitor.cookie, reason, typed)
        return see_other(visitor.request, path, typed=typed, because=reason, seal=seal)

    def refuse(self, submission: Submission, reason: Reason) -> web.Response:
        """Lead to the page that says why. Count and record it, if a rule refuses an approval."""
        rule = _RULES.get(reason)
        if rule is not None:
            self.recorder.count(table.APPROVALS_REFUSED, rule)
            self.audit.record(
                SecurityEvent.APPROVAL_REFUSED, outcome="failure", sub=submission.sub, reason=rule
            )
        return self.lead(submission.visitor, reason, submission.text)

    def unreadable(self, visitor: Visitor, text: str) -> web.Response:
        """Lead back to the form with a text that can be no code, and say what is wrong with it."""
        if self.codes.has_too_few(text):
            return self.lead(visitor, Reason.TOO_SHORT, text)
        if self.codes.has_too_many(text):
            return self.lead(visitor, Reason.TOO_LONG, text)
        return self.lead(visitor, Reason.UNUSABLE, text)

    def read(self, visitor: Visitor) -> Refusal | None:
        """Return what a POST of this visitor has found out, None for any other address."""
        query = visitor.request.query
        typed, because = query.get("typed", ""), query.get("because", "")
        if because not in set(Reason):
            return None
        if not self.seal.holds(query.get("seal", ""), visitor.cookie, because, typed):
            return None
        return Refusal(Reason(because), typed)
