"""The pages of one worker, wired: what each one uses is written here, once."""

from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from aiohttp import web

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.config import Settings
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.pages.account.additions import Additions
from deviceflow.pages.account.app import AppPage
from deviceflow.pages.account.devices import DevicesPage
from deviceflow.pages.account.door import AccountDoor
from deviceflow.pages.account.not_me import NotMePage
from deviceflow.pages.account.owner import Owners
from deviceflow.pages.account.passkeys import PasskeysPage
from deviceflow.pages.account.password import ChangePasswordPage
from deviceflow.pages.account.recovery import NewCodes, RecoveryPage
from deviceflow.pages.account.security import SecurityPage
from deviceflow.pages.account.sessions import SessionsPage
from deviceflow.pages.account.sign_out import SignOutPage
from deviceflow.pages.at_issuer import AtIssuer
from deviceflow.pages.authorize import AuthorizePage
from deviceflow.pages.ceremonies import Ceremonies
from deviceflow.pages.challenges import Challenges
from deviceflow.pages.codes import Codes
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.csrf import Csrf
from deviceflow.pages.demo import Demo, demo_pages
from deviceflow.pages.device.approval_check import ApprovalCheck
from deviceflow.pages.device.claim import ClaimStep
from deviceflow.pages.device.code_form import CodeForm
from deviceflow.pages.device.confirm import ConfirmPage
from deviceflow.pages.device.decide import DecideStep
from deviceflow.pages.device.done import DonePage
from deviceflow.pages.device.enter import EnterPage
from deviceflow.pages.device.far import FarStep
from deviceflow.pages.device.origin import Origins
from deviceflow.pages.device.proof import ProofPage
from deviceflow.pages.device.proofs import Proofs
from deviceflow.pages.device.refusals import Refusals
from deviceflow.pages.device.report import ReportStep
from deviceflow.pages.device.sent import SentPage
from deviceflow.pages.device.step_up import StepUpPage
from deviceflow.pages.device.submission import DeviceRequests
from deviceflow.pages.device.submit import SubmitStep
from deviceflow.pages.device.switch import SwitchStep
from deviceflow.pages.errors import SURROUNDINGS, Surroundings
from deviceflow.pages.headers import security_headers
from deviceflow.pages.known_browser import KnownBrowsers
from deviceflow.pages.languages import LANGUAGES
from deviceflow.pages.password_check import PasswordCheck
from deviceflow.pages.pause import Pauses
from deviceflow.pages.redirect import see_other
from deviceflow.pages.render import is_https
from deviceflow.pages.seal import Seal
from deviceflow.pages.short_address import ShortAddressPage
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
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitors
from deviceflow.pages.vouched import VouchedNames
from deviceflow.pages.way_back import WayBack
from deviceflow.parts import Parts
from deviceflow.policy.code_lifetime import CodeLifetime
from deviceflow.policy.guess_wave import GuessWave
from deviceflow.policy.phishing import CodeLinks
from deviceflow.policy.second_factor import OneTimeCodes
from deviceflow.policy.sign_in_ways import SignInWays

_ALMOST_A_PAGE = r"/{page:(?i:/*(?:device(?:/+(?:confirm|done|sent))?|login|logout|account)/*)}"
"""A page's address in other case, or with a slash too many; the right one has a route before."""


@dataclass(frozen=True, kw_only=True)
class SharedParts:
    """What the rooms of the pages share."""

    cookie: SessionCookie
    visitors: Visitors
    codes: Codes
    throttle: Throttle
    seal: Seal
    pauses: Pauses
    known_browsers: KnownBrowsers
    ways: SignInWays
    ceremonies: Ceremonies


def add_pages(app: web.Application, parts: Parts, demo: Demo | None) -> None:
    """Give `app` what people open, and what its error pages say of the visitor."""
    shared = _shared(parts)
    pages = [
        *_sign_in(parts, shared),
        *_upstream(parts, shared),
        *_sign_out(parts, shared).routes(),
        *_account(parts, shared),
        *_security(parts, shared),
        *_device(parts, shared),
        *AuthorizePage().routes(),
        *app[LANGUAGES].routes(),
    ]
    at_issuer = AtIssuer(issuer=parts.settings.issuer_url, codes=shared.codes)
    pages = [at_issuer.lead(route) for route in pages]
    if demo:
        pages += demo_pages(parts.settings, demo).routes()
    app[SURROUNDINGS] = Surroundings(meet=shared.visitors.introduce, carry=shared.codes.carry)
    app.add_routes([*parts.below(pages), *_root_routes(parts.settings, shared.codes)])


def _shared(parts: Parts) -> SharedParts:
    settings = parts.settings
    cookie = SessionCookie(https=is_https(settings), issuer=settings.issuer_url)
    vouched = VouchedNames(header=settings.sign_in.trusted_header, callers=parts.callers)
    visitors = Visitors(
        cookie=cookie,
        csrf=Csrf(keys=parts.installation.challenge_keys, issuer=settings.issuer_url),
        sessions=parts.sessions,
        users=parts.users,
        callers=parts.callers,
        vouched=vouched,
        max_body_bytes=settings.server.max_body_bytes,
    )
    codes = Codes(settings.device.user_code, parts.clients)
    lifetime = CodeLifetime(settings.device.lifetime_s, parts.clients)
    seal = Seal(keys=parts.installation.challenge_keys)
    return SharedParts(
        cookie=cookie,
        visitors=visitors,
        codes=codes,
        throttle=Throttle(
            limits=parts.limits,
            lifetime=lifetime,
            wave=GuessWave(
                parts.grants.wrong_codes,
                settings.device.wave_wrong_codes,
                parts.clock,
                parts.recorder,
            ),
            recorder=parts.recorder,
            refusals=ThinnedLog(("(others)", ""), parts.clock),
            audit=parts.audit,
        ),
        seal=seal,
        pauses=Pauses(seal=seal, codes=codes, lifetime=lifetime, clock=parts.clock),
        known_browsers=KnownBrowsers(cookie=cookie, keys=parts.installation.challenge_keys),
        ways=SignInWays.of(settings),
        ceremonies=Ceremonies(
            issuer=settings.issuer_url,
            pages=settings.pages,
            challenges=Challenges(
                keys=parts.installation.challenge_keys, replay=parts.replay, clock=parts.clock
            ),
            store=parts.factors,
            users=parts.users,
            clock=parts.clock,
        ),
    )


def _sign_in(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
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
        check=_password_check(parts, shared),
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


def _security(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
    """Wire what a person changes about signing in."""
    owners = Owners(
        visitors=shared.visitors,
        codes=shared.codes,
        ways=shared.ways,
        factors=parts.factors,
        clock=parts.clock,
    )
    new_codes = NewCodes(store=parts.factors, cookie=shared.cookie)
    additions = Additions(
        owners=owners,
        new_codes=new_codes,
        sessions=parts.sessions,
        cookie=shared.cookie,
        audit=parts.audit,
    )
    password = ChangePasswordPage(
        owners=owners,
        users=parts.users,
        check=_password_check(parts, shared),
        access=parts.person_access,
        cookie=shared.cookie,
        throttle=shared.throttle,
        known_browsers=shared.known_browsers,
        audit=parts.audit,
    )
    return [
        *SecurityPage(owners=owners).routes(),
        *password.routes(),
        *RecoveryPage(owners=owners, new_codes=new_codes, audit=parts.audit).routes(),
        *AppPage(owners=owners, additions=additions, pages=parts.settings.pages).routes(),
        *PasskeysPage(owners=owners, additions=additions, ceremonies=shared.ceremonies).routes(),
    ]


def _password_check(parts: Parts, shared: SharedParts) -> PasswordCheck:
    return PasswordCheck(users=parts.users, throttle=shared.throttle, recorder=parts.recorder)


def _session_start(parts: Parts, shared: SharedParts) -> SessionStart:
    return SessionStart(sessions=parts.sessions, cookie=shared.cookie, clock=parts.clock)


def _upstream(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
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


def _sign_out(parts: Parts, shared: SharedParts) -> SignOutPage:
    return SignOutPage(
        visitors=shared.visitors,
        codes=shared.codes,
        sessions=parts.sessions,
        cookie=shared.cookie,
        providers=parts.providers,
        issuer=parts.settings.issuer_url,
        audit=parts.audit,
    )


def _account(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
    door = AccountDoor(
        visitors=shared.visitors, way_back=WayBack(cookie=shared.cookie), seal=shared.seal
    )
    devices = DevicesPage(
        settings=parts.settings,
        door=door,
        devices=parts.devices,
        access=parts.person_access,
        clients=parts.clients,
        clock=parts.clock,
        audit=parts.audit,
    )
    sessions = SessionsPage(
        door=door,
        sessions=parts.sessions,
        access=parts.person_access,
        cookie=shared.cookie,
        clock=parts.clock,
        audit=parts.audit,
    )
    not_me = NotMePage(
        settings=parts.settings,
        visitors=shared.visitors,
        seal=shared.seal,
        links=parts.notice_links,
        devices=parts.devices,
        clients=parts.clients,
        clock=parts.clock,
        audit=parts.audit,
    )
    return [*devices.routes(), *sessions.routes(), *not_me.routes()]


def _device(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
    """Wire the steps, then the pages."""
    visitors, codes, throttle = shared.visitors, shared.codes, shared.throttle
    grants = parts.grants
    requests = DeviceRequests(
        codes=codes,
        clients=parts.clients,
        grants=grants,
        enabled_by_default=parts.settings.device.enabled_by_default,
    )
    refusals = Refusals(seal=shared.seal, codes=codes)
    origins = Origins(server=parts.settings.server, places=parts.places)
    check = ApprovalCheck(settings=parts.settings, origins=origins, clock=parts.clock)
    far = FarStep(
        grants=grants,
        requests=requests,
        refusals=refusals,
        recorder=parts.recorder,
        audit=parts.audit,
    )
    claim = ClaimStep(
        throttle=throttle,
        grants=grants,
        requests=requests,
        refusals=refusals,
        check=check,
        far=far,
        recorder=parts.recorder,
        audit=parts.audit,
    )
    decide = DecideStep(
        throttle=throttle,
        grants=grants,
        requests=requests,
        claim=claim,
        refusals=refusals,
        recorder=parts.recorder,
        check=check,
        far=far,
        audit=parts.audit,
    )
    switch = SwitchStep(
        grants=grants,
        sessions=parts.sessions,
        cookie=shared.cookie,
        requests=requests,
        audit=parts.audit,
    )
    report = ReportStep(
        reports=parts.reports,
        requests=requests,
        grants=grants,
        decide=decide,
        recorder=parts.recorder,
        audit=parts.audit,
    )
    proofs = Proofs(
        challenges=Challenges(
            keys=parts.installation.challenge_keys,
            replay=parts.replay,
            clock=parts.clock,
            kind="proof",
        ),
        bits=parts.settings.device.wave_proof_bits,
        recorder=parts.recorder,
    )
    proof = ProofPage(visitors=visitors, codes=codes, pauses=shared.pauses, proofs=proofs)
    step = SubmitStep(
        visitors=visitors,
        codes=codes,
        pauses=shared.pauses,
        proofs=proofs,
        claim=claim,
        decide=decide,
        switch=switch,
        report=report,
    )
    enter = EnterPage(
        visitors=visitors,
        codes=codes,
        refusals=refusals,
        pauses=shared.pauses,
        form=CodeForm(
            visitors=visitors,
            codes=codes,
            grants=grants,
            lifetime_s=parts.settings.device.lifetime_s,
        ),
        links=CodeLinks(settings=parts.settings, clients=parts.clients),
        step=step,
    )
    done = DonePage(
        visitors=visitors,
        codes=codes,
        requests=requests,
        refusals=refusals,
        devices=parts.devices,
        scopes=parts.settings.scopes,
        clock=parts.clock,
    )
    confirm = ConfirmPage(
        settings=parts.settings,
        visitors=visitors,
        codes=codes,
        requests=requests,
        done=done,
        clock=parts.clock,
        step=step,
        check=check,
    )
    step_up = StepUpPage(
        visitors=visitors,
        codes=codes,
        requests=requests,
        check=check,
        ways=shared.ways,
        factors=parts.factors,
        audit=parts.audit,
    )
    sent = SentPage(visitors=visitors, codes=codes)
    pages = (enter, proof, confirm, step_up, done, sent)
    return [route for page in pages for route in page.routes()]


def _root_routes(settings: Settings, codes: Codes) -> list[web.RouteDef]:
    """Send a person who types the host alone, from a television's screen, to the code page.

    And one who writes the address of a page a little differently: `/Device`, `//device/`.
    """
    base = settings.base_path
    headers = security_headers(https=is_https(settings))
    headers["Location"] = f"{base}/device"

    async def lead_on(_: web.Request) -> web.Response:
        return web.Response(status=302, headers=headers)

    async def correct(request: web.Request) -> web.Response:
        page = "/".join(part for part in request.match_info["page"].lower().split("/") if part)
        return see_other(request, f"/{page}", codes.carry(request.query.get("user_code", "")))

    below = settings.route_path
    short = ShortAddressPage(settings=settings, codes=codes)
    paths = {"/", below or "/", f"{below}/"}
    if settings.device.verification_uri and not urlsplit(settings.device.verification_uri).path:
        paths -= {"/"}
    roots = [web.get(path, lead_on) for path in sorted(paths)]
    return [*roots, web.get(below + _ALMOST_A_PAGE, correct), *short.routes()]
