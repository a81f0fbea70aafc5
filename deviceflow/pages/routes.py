"""The pages of one worker, wired: what each one uses is written here, once."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.config import Settings
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.pages.account.devices import DevicesPage
from deviceflow.pages.account.door import AccountDoor
from deviceflow.pages.account.not_me import NotMePage
from deviceflow.pages.account.sessions import SessionsPage
from deviceflow.pages.account.sign_out import SignOutPage
from deviceflow.pages.at_issuer import AtIssuer
from deviceflow.pages.authorize import AuthorizePage
from deviceflow.pages.codes import Codes
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.csrf import Csrf
from deviceflow.pages.demo import Demo, demo_pages
from deviceflow.pages.device.claim import ClaimStep
from deviceflow.pages.device.code_form import CodeForm
from deviceflow.pages.device.confirm import ConfirmPage
from deviceflow.pages.device.decide import DecideStep
from deviceflow.pages.device.done import DonePage
from deviceflow.pages.device.enter import EnterPage
from deviceflow.pages.device.refusals import Refusals
from deviceflow.pages.device.submission import DeviceRequests
from deviceflow.pages.device.submit import SubmitStep
from deviceflow.pages.device.switch import SwitchStep
from deviceflow.pages.errors import SURROUNDINGS, Surroundings
from deviceflow.pages.headers import security_headers
from deviceflow.pages.known_browser import KnownBrowsers
from deviceflow.pages.pause import Pauses
from deviceflow.pages.redirect import see_other
from deviceflow.pages.render import is_https
from deviceflow.pages.seal import Seal
from deviceflow.pages.sign_in.password import PasswordPage
from deviceflow.pages.sign_in.session_start import SessionStart
from deviceflow.pages.sign_in.typed_name import TypedName
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitors
from deviceflow.pages.way_back import WayBack
from deviceflow.parts import Parts
from deviceflow.policy.code_lifetime import CodeLifetime

_ALMOST_A_PAGE = r"/{page:(?i:/*(?:device(?:/+(?:confirm|done))?|login|logout|account)/*)}"
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


def add_pages(app: web.Application, parts: Parts, demo: Demo | None) -> None:
    """Give `app` what people open, and what its error pages say of the visitor."""
    shared = _shared(parts)
    pages = [
        *_sign_in(parts, shared).routes(),
        *_sign_out(parts, shared).routes(),
        *_account(parts, shared),
        *_device(parts, shared),
        *AuthorizePage().routes(),
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
    visitors = Visitors(
        cookie=cookie,
        csrf=Csrf(key=parts.installation.challenge_key, issuer=settings.issuer_url),
        sessions=parts.sessions,
        users=parts.users,
        callers=parts.callers,
        max_body_bytes=settings.server.max_body_bytes,
    )
    codes = Codes(settings.device.user_code, parts.clients)
    lifetime = CodeLifetime(settings.device.lifetime_s, parts.clients)
    seal = Seal(key=parts.installation.challenge_key)
    return SharedParts(
        cookie=cookie,
        visitors=visitors,
        codes=codes,
        throttle=Throttle(
            limits=parts.limits,
            lifetime=lifetime,
            recorder=parts.recorder,
            refusals=ThinnedLog(("(others)", ""), parts.clock),
        ),
        seal=seal,
        pauses=Pauses(seal=seal, codes=codes, lifetime=lifetime, clock=parts.clock),
    )


def _sign_in(parts: Parts, shared: SharedParts) -> PasswordPage:
    return PasswordPage(
        visitors=shared.visitors,
        codes=shared.codes,
        throttle=shared.throttle,
        pauses=shared.pauses,
        typed_name=TypedName(cookie=shared.cookie),
        known_browsers=KnownBrowsers(cookie=shared.cookie, key=parts.installation.challenge_key),
        users=parts.users,
        recorder=parts.recorder,
        session_start=SessionStart(
            sessions=parts.sessions, cookie=shared.cookie, clock=parts.clock
        ),
    )


def _sign_out(parts: Parts, shared: SharedParts) -> SignOutPage:
    return SignOutPage(
        visitors=shared.visitors,
        codes=shared.codes,
        sessions=parts.sessions,
        cookie=shared.cookie,
    )


def _account(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
    door = AccountDoor(
        visitors=shared.visitors, way_back=WayBack(cookie=shared.cookie), seal=shared.seal
    )
    devices = DevicesPage(
        settings=parts.settings,
        door=door,
        devices=parts.devices,
        clients=parts.clients,
        clock=parts.clock,
    )
    sessions = SessionsPage(door=door, sessions=parts.sessions, clock=parts.clock)
    not_me = NotMePage(
        settings=parts.settings,
        visitors=shared.visitors,
        seal=shared.seal,
        links=parts.notice_links,
        devices=parts.devices,
        clients=parts.clients,
        clock=parts.clock,
    )
    return [*devices.routes(), *sessions.routes(), *not_me.routes()]


def _device(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
    """Wire the steps, then the pages."""
    visitors, codes, throttle = shared.visitors, shared.codes, shared.throttle
    grants = parts.grants
    requests = DeviceRequests(codes=codes, clients=parts.clients, grants=grants)
    refusals = Refusals(seal=shared.seal, codes=codes)
    claim = ClaimStep(throttle=throttle, grants=grants, requests=requests, refusals=refusals)
    decide = DecideStep(
        throttle=throttle,
        grants=grants,
        requests=requests,
        claim=claim,
        refusals=refusals,
        recorder=parts.recorder,
    )
    switch = SwitchStep(
        grants=grants, sessions=parts.sessions, cookie=shared.cookie, requests=requests
    )
    step = SubmitStep(
        visitors=visitors,
        codes=codes,
        pauses=shared.pauses,
        claim=claim,
        decide=decide,
        switch=switch,
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
        step=step,
    )
    done = DonePage(
        visitors=visitors,
        codes=codes,
        requests=requests,
        refusals=refusals,
        devices=parts.devices,
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
    )
    return [*enter.routes(), *confirm.routes(), *done.routes()]


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
    roots = [web.get(path, lead_on) for path in sorted({"/", below or "/", f"{below}/"})]
    return [*roots, web.get(below + _ALMOST_A_PAGE, correct)]
