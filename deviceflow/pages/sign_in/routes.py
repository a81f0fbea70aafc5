"""The ways of signing in, wired."""

from functools import partial

from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.pages.shared import SharedParts
from deviceflow.pages.sign_in.arrival import Arrival
from deviceflow.pages.sign_in.failures import SignInFailures
from deviceflow.pages.sign_in.half_way import HalfWay
from deviceflow.pages.sign_in.passkey import PasskeyStep
from deviceflow.pages.sign_in.password import PasswordPage
from deviceflow.pages.sign_in.second import SecondPage
from deviceflow.pages.sign_in.session_start import SessionStart
from deviceflow.pages.sign_in.typed_name import TypedName
from deviceflow.pages.sign_in.upstream.back_channel import BackChannelLogout
from deviceflow.pages.sign_in.upstream.callback import UpstreamCallback
from deviceflow.pages.sign_in.upstream.detours import Detours
from deviceflow.pages.sign_in.upstream.log import UpstreamLog
from deviceflow.pages.sign_in.upstream.start import UpstreamStart
from deviceflow.pages.sign_in.vouched import VouchedStep
from deviceflow.parts import Parts
from deviceflow.policy.second_factor import OneTimeCodes


def sign_in_routes(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
    """Wire the password, the second step, passkeys and the name that a proxy vouches for."""
    visitors, cookie, users = shared.visitors, shared.cookie, parts.users
    ceremonies = shared.ceremonies if shared.ways.passkeys else None
    known_browsers = shared.known_browsers
    typed_name = TypedName(cookie=cookie)
    half_way = HalfWay(cookie=cookie, seal=shared.seal, users=users, clock=parts.clock)
    arrival = Arrival(
        ways=shared.ways,
        factors=parts.factors,
        half_way=half_way,
        session_start=_session_start(parts, shared),
        known_browsers=known_browsers,
        typed_name=typed_name,
        recorder=parts.recorder,
        audit=parts.audit,
    )
    failures = SignInFailures(audit=parts.audit, users=parts.users, installation=parts.installation)
    password = PasswordPage(
        visitors=visitors,
        codes=shared.codes,
        throttle=shared.throttle,
        pauses=shared.pauses,
        typed_name=typed_name,
        known_browsers=known_browsers,
        check=shared.password_check,
        recorder=parts.recorder,
        providers=parts.providers,
        has_form=parts.settings.sign_in.password,
        arrival=arrival,
        ceremonies=ceremonies,
        vouched=visitors.vouched,
        failures=failures,
    )
    second = SecondPage(
        visitors=visitors,
        codes=shared.codes,
        throttle=shared.throttle,
        pauses=shared.pauses,
        known_browsers=known_browsers,
        half_way=half_way,
        ways=shared.ways,
        factors=parts.factors,
        one_time_codes=OneTimeCodes(store=parts.factors, clock=parts.clock),
        arrival=arrival,
        ceremonies=ceremonies,
        recorder=parts.recorder,
        failures=failures,
    )
    routes = [*password.routes(), *second.routes()]
    if visitors.vouched.header:
        step = VouchedStep(
            visitors=visitors,
            codes=shared.codes,
            names=visitors.vouched,
            users=users,
            creates=parts.settings.sign_in.trusted_header_creates,
            arrival=arrival,
            recorder=parts.recorder,
            failures=failures,
            audit=parts.audit,
        )
        routes += step.routes()
    if ceremonies is not None:
        passkey = PasskeyStep(
            visitors=visitors,
            codes=shared.codes,
            ceremonies=ceremonies,
            arrival=arrival,
            recorder=parts.recorder,
            failures=failures,
        )
        routes += passkey.routes()
    return routes


def upstream_routes(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
    """Wire the way to a provider and back. Without providers, there are no such addresses."""
    if not parts.settings.upstream:
        return []
    visitors, providers = shared.visitors, parts.providers
    detours = Detours(
        keys=parts.installation.challenge_keys,
        issuer=parts.settings.issuer_url,
        cookie=shared.cookie,
        clock=parts.clock,
    )
    log = UpstreamLog(lines=ThinnedLog(("(others)", "", ""), parts.clock))
    start = UpstreamStart(
        visitors=visitors, codes=shared.codes, providers=providers, detours=detours, log=log
    )
    callback = UpstreamCallback(
        visitors=visitors,
        codes=shared.codes,
        providers=providers,
        detours=detours,
        answers=parts.upstream_answers,
        links=parts.links,
        replay=parts.replay,
        upstream_sessions=parts.upstream_sessions,
        session_start=_session_start(parts, shared),
        throttle=shared.throttle,
        recorder=parts.recorder,
        clock=parts.clock,
        log=log,
        audit=parts.audit,
    )
    logout = BackChannelLogout(
        visitors=visitors,
        providers=providers,
        replay=parts.replay,
        upstream_sessions=parts.upstream_sessions,
        links=parts.links,
        access=parts.person_access,
        throttle=shared.throttle,
        log=log,
        audit=parts.audit,
    )
    parts.links.on_created = partial(_record_new_account, parts.audit)
    return [*start.routes(), *callback.routes(), *logout.routes()]


def _record_new_account(audit: Audit, sub: str) -> None:
    audit.record(SecurityEvent.ACCOUNT_ADDED, sub=sub, way="upstream")


def _session_start(parts: Parts, shared: SharedParts) -> SessionStart:
    return SessionStart(sessions=parts.sessions, cookie=shared.cookie, clock=parts.clock)
