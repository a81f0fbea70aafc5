"""Another account of the same person: give the request back, and sign in again."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.grant import Outcome
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.device.submission import DeviceRequests, Submission
from deviceflow.pages.redirect import see_other
from deviceflow.store.grants import Grants
from deviceflow.store.sessions import Sessions

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class SwitchStep:
    """Gives the claim back, ends the session, and leads to sign-in with the code."""

    grants: Grants
    sessions: Sessions
    cookie: SessionCookie
    requests: DeviceRequests
    audit: Audit

    async def carry_out(self, submission: Submission) -> web.Response:
        """Do so, unless the request is answered already: then show how it ended."""
        visitor, own = submission.visitor, await self.requests.own(submission)
        code = (
            self.requests.codes.carry(submission.text) if own is None else self.requests.show(own)
        )
        if own is not None:
            outcome = await self.grants.release(own.grant, submission.sub)
            name, client_id = self.grants.log_id(own.grant.id), own.grant.client_id
            log.info("grant.released", grant=name, outcome=outcome, client_id=client_id)
            if outcome is Outcome.REFUSED:
                return see_other(visitor.request, "/device/done", code)
        # The claim goes first: if the store fails in between, the same button does the rest.
        if visitor.sent_cookie is not None:
            await self.sessions.end(visitor.sent_cookie)
            self.audit.record(SecurityEvent.SESSION_ENDED, sub=submission.sub, way="page")
        response = see_other(visitor.request, "/login", code, notice="switched")
        self.cookie.remove(response)
        return response
