"""Logout by the provider's server (OpenID Connect Back-Channel Logout 1.0)."""

from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.provider_tokens import LogoutToken
from deviceflow.core.upstream_person import UpstreamSubject
from deviceflow.pages.errors import PageError
from deviceflow.pages.form import read_fields
from deviceflow.pages.headers import security_headers
from deviceflow.pages.render import HTTPS
from deviceflow.pages.sign_in.upstream.log import UpstreamLog
from deviceflow.pages.sign_in.upstream.start import provider_of
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitors
from deviceflow.policy.tries import TooManyTries
from deviceflow.store.links import Links
from deviceflow.store.person_access import PersonAccess
from deviceflow.store.replay import Replay
from deviceflow.store.upstream_sessions import ProviderSession, UpstreamSessions
from deviceflow.upstream.errors import UpstreamError
from deviceflow.upstream.providers import Providers

_MAX_FORM = 65_536

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class BackChannelLogout:
    """POST `/login/upstream/{provider}/logout`. The answers are for machines: 2.8."""

    visitors: Visitors
    providers: Providers
    replay: Replay
    upstream_sessions: UpstreamSessions
    links: Links
    access: PersonAccess
    throttle: Throttle
    log: UpstreamLog
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post("/login/upstream/{provider}/logout", self.log_out)]

    async def log_out(self, request: web.Request) -> web.Response:
        """End the sessions that a logout token names. One that was used before ends nothing."""
        provider = provider_of(request, self.providers)
        address = self.visitors.callers.address(request)
        try:
            fields = await read_fields(request, _MAX_FORM)
            attempt = await self.throttle.upstream(address)
            token = await provider.read_logout(fields.get("logout_token", ""))
        except TooManyTries as refusal:
            return _answer(request, 429, "temporarily_unavailable", str(refusal.wait_s))
        except PageError as error:
            return _answer(request, error.status, "invalid_request")
        except UpstreamError as error:
            self.log.failed(provider, error)
            if error.may_pass:
                return _answer(request, 503, "temporarily_unavailable", "5")
            return _answer(request, 400, "invalid_request")
        await attempt.forgive()
        upstream_id = provider.upstream.id
        if not await self.replay.use("logout", upstream_id, token.jti, token.keep_s):
            return _answer(request, 400, "invalid_request")
        ended = await self._end(upstream_id, token)
        log.info("upstream.logged_out", upstream=upstream_id, sessions=ended)
        self.audit.record(
            SecurityEvent.SESSION_ENDED, way="back_channel", subject=upstream_id, number=ended
        )
        return _answer(request, 200)

    async def _end(self, upstream_id: str, token: LogoutToken) -> int:
        """End the session that the token names; without one, all of the person's.

        The account's mark then ends a sign-in, too, that has begun and is on no list yet.
        """
        origin = ProviderSession(upstream_id, token.subject, token.sid)
        ended = await self.upstream_sessions.end(origin)
        if token.sid:
            return ended
        account = await self.links.find(UpstreamSubject(token.issuer, token.subject))
        return ended if account is None else ended + await self.access.sign_out(account)


def _answer(
    request: web.Request, status: int, error: str = "", retry_after: str = ""
) -> web.Response:
    headers = security_headers(https=request.app[HTTPS])
    if retry_after:
        headers["Retry-After"] = retry_after
    if not error:
        return web.Response(status=status, headers=headers)
    return web.json_response({"error": error}, status=status, headers=headers)
