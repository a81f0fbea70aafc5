"""The way back from a provider: its answer, and the session that it begins."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.core.clock import Clock
from deviceflow.core.upstream_person import (
    Admission,
    ClaimMap,
    UpstreamPerson,
    read_person,
    why_not_admitted,
)
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.codes import Codes
from deviceflow.pages.errors import unreadable
from deviceflow.pages.form import read_fields
from deviceflow.pages.redirect import see_other
from deviceflow.pages.sign_in.session_start import SessionStart
from deviceflow.pages.sign_in.upstream.detours import LIFETIME_S, Detours, StateFault
from deviceflow.pages.sign_in.upstream.failures import (
    account_disabled,
    no_account,
    no_free_name,
    not_admitted,
    provider_failed,
    state_wrong,
    too_many_tries,
    used_before,
)
from deviceflow.pages.sign_in.upstream.log import UpstreamLog
from deviceflow.pages.sign_in.upstream.start import provider_of
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitors
from deviceflow.policy.tries import TooManyTries, Try
from deviceflow.store.accounts import Account
from deviceflow.store.links import Links, NameTakenError
from deviceflow.store.replay import Replay
from deviceflow.store.sessions import Session, UpstreamSession
from deviceflow.store.upstream_answers import UpstreamAnswers
from deviceflow.store.upstream_sessions import ProviderSession, UpstreamSessions
from deviceflow.upstream.authorization import ANSWER_FIELDS, Answer, Detour
from deviceflow.upstream.errors import UpstreamError
from deviceflow.upstream.provider import Provider, UpstreamIdentity
from deviceflow.upstream.providers import Providers

MAX_FIELD = 4096
"""The longest field of an answer, in characters; a code has up to two thousand."""

MAX_HINT = 4096
"""The longest ID token that is kept for the sign-out, in characters: it goes into an address."""

_MAX_FORM = 65_536
"""The longest form of a provider, in bytes: some add tokens and states of their own."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class UpstreamCallback:
    """GET and POST `/login/upstream/{provider}/callback`."""

    visitors: Visitors
    codes: Codes
    providers: Providers
    detours: Detours
    answers: UpstreamAnswers
    links: Links
    replay: Replay
    upstream_sessions: UpstreamSessions
    session_start: SessionStart
    throttle: Throttle
    recorder: Recorder
    clock: Clock
    log: UpstreamLog
    audit: Audit

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        path = "/login/upstream/{provider}/callback"
        return [web.get(path, self.end), web.post(path, self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        """Take an answer that the provider's page has posted, and have the browser come for it.

        Browsers send no cookie with a POST of another site. It begins nothing: it only keeps the
        answer to a request of this server for the GET that follows, in which the cookie is.
        """
        provider = provider_of(request, self.providers)
        if provider.upstream.response_mode != "form_post":
            raise web.HTTPMethodNotAllowed("POST", ["GET"])
        answer = Answer.of(_bounded(await read_fields(request, _MAX_FORM)))
        fault = self.detours.fault(provider.upstream.id, answer.state)
        if fault is not None:
            raise state_wrong(fault, "")
        await self._count(request, answer.state, "")
        await self.answers.keep(answer.state, answer._asdict())
        path = f"/login/upstream/{provider.upstream.id}/callback"
        return see_other(request, path, state=answer.state)

    async def end(self, request: web.Request) -> web.Response:
        """Start a session for the person whom the provider names, or say why there is none."""
        since = self.clock()
        provider = provider_of(request, self.providers)
        answer = await self._answer(request, provider)
        onward = self.detours.onward(request, answer.state, self.codes)
        code = onward.user_code
        visitor = await self.visitors.meet(request)
        detour = self.detours.find(provider.upstream.id, answer.state, visitor.sent_cookie)
        if isinstance(detour, StateFault):
            self.log.answer_ignored(provider, detour.value)
            raise state_wrong(detour, code)
        attempt = await self._count(request, answer.state, code)
        if not await self.replay.use("upstream", provider.upstream.id, answer.state, LIFETIME_S):
            self.log.answer_ignored(provider, "used")
            raise used_before(code)
        identity = await self._identity(provider, answer, detour, attempt, code)
        account = await self._account(provider, identity, code)
        await attempt.forgive()
        session = self._session(provider, identity, account)
        started = await self.session_start.begin(visitor, session, code, onward.path)
        origin = ProviderSession(provider.upstream.id, identity.whose.subject, identity.sid)
        name = self.session_start.sessions.name_of(started.session_id)
        if not await self.upstream_sessions.note(origin, name, since):
            await self.session_start.sessions.end(started.session_id)
            return see_other(request, "/login", code, notice="ended")
        self.detours.forget(request, started.response, answer.state)
        self.recorder.count(table.SIGN_INS, "succeeded")
        self.audit.record(SecurityEvent.SIGN_IN_SUCCEEDED, sub=account.sub, way=_way(provider))
        return started.response

    async def _answer(self, request: web.Request, provider: Provider) -> Answer:
        """Read the answer: of the query, or the one that was posted before."""
        query = request.query
        if any(len(query.getall(name, [])) > 1 for name in ANSWER_FIELDS):
            raise unreadable()
        answer = Answer.of(_bounded(query))
        if provider.upstream.response_mode == "form_post" and not (answer.code or answer.error):
            posted = await self.answers.take(answer.state)
            return Answer.of(posted) if posted else answer
        return answer

    async def _count(self, request: web.Request, state: str, code: str) -> Try:
        """Count an answer: each costs a request to the provider. A good one is taken back."""
        address = self.visitors.callers.address(request)
        try:
            return await self.throttle.upstream(address, state)
        except TooManyTries as refusal:
            raise too_many_tries(refusal, code) from None

    async def _identity(
        self, provider: Provider, answer: Answer, detour: Detour, attempt: Try, code: str
    ) -> UpstreamIdentity:
        try:
            return await provider.finish(answer, detour)
        except UpstreamError as error:
            if error.may_pass:
                await attempt.forgive()
            self._fail(provider, error.cause.value)
            self.log.failed(provider, error)
            raise provider_failed(error, provider.upstream.title, code) from error

    async def _account(self, provider: Provider, identity: UpstreamIdentity, code: str) -> Account:
        """Return the account of a person who may come in. May raise PageError."""
        upstream = provider.upstream
        person = _person(provider, identity)
        has_address = isinstance(identity.claims.get(upstream.claims.email), str)
        admission = Admission(upstream.groups, upstream.email_domains)
        reason = why_not_admitted(person, admission, has_address=has_address)
        if reason is not None:
            self._note_refusal(provider, reason.value)
            raise not_admitted(reason, upstream.title, code)
        try:
            account = await self.links.sign_in(
                identity.whose, person, may_create=upstream.allow_create
            )
        except NameTakenError as error:
            self._note_refusal(provider, "no_name")
            raise no_free_name(code) from error
        if account is None:
            # An operator who wants to let the person in needs it: `deviceflow users link`.
            self._note_refusal(provider, "no_account", identity.whose.subject)
            raise no_account(upstream.title, code)
        if account.disabled:
            self._note_refusal(provider, "disabled")
            raise account_disabled(upstream.title, code)
        return account

    def _note_refusal(self, provider: Provider, reason: str, subject: str | None = None) -> None:
        self._fail(provider, reason)
        upstream_id = provider.upstream.id
        log.info("upstream.not_admitted", upstream=upstream_id, reason=reason, subject=subject)

    def _fail(self, provider: Provider, reason: str) -> None:
        self.recorder.count(table.SIGN_INS, "failed")
        self.audit.record(
            SecurityEvent.SIGN_IN_FAILED, outcome="failure", way=_way(provider), reason=reason
        )

    def _session(self, provider: Provider, identity: UpstreamIdentity, account: Account) -> Session:
        """Say how and when the person signed in: in the provider's words, where there are any."""
        now = int(self.clock())
        signed_in_at = now if identity.auth_time is None else min(identity.auth_time, now)
        is_kept = provider.upstream.logout and len(identity.id_token) <= MAX_HINT
        hint = identity.id_token if is_kept else ""
        return Session(
            username=account.username,
            sub=account.sub,
            auth_time=signed_in_at,
            amr=identity.amr,
            acr=identity.acr,
            upstream=UpstreamSession(provider.upstream.id, hint),
            mark=account.marks.sessions,
            credential=account.file_credential,
        )


def _way(provider: Provider) -> str:
    return f"upstream:{provider.upstream.id}"


def _person(provider: Provider, identity: UpstreamIdentity) -> UpstreamPerson:
    upstream, claims = provider.upstream, provider.upstream.claims
    names = ClaimMap(upstream.username_claim, claims.name, claims.email, claims.groups)
    return read_person(identity.claims, names, trusts_email=upstream.trust_email)


def _bounded(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of an answer; one that is too long counts as missing."""
    return {
        name: fields[name]
        for name in ANSWER_FIELDS
        if name in fields and len(fields[name]) <= MAX_FIELD
    }
