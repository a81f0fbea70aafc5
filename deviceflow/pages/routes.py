"""The pages of one worker, wired: what each one uses is written here, once."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.config import Settings
from deviceflow.pages.account.sign_out import SignOutPage
from deviceflow.pages.authorize import AuthorizePage
from deviceflow.pages.codes import Codes
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.csrf import Csrf
from deviceflow.pages.demo import Demo, demo_pages
from deviceflow.pages.device.code_form import CodeForm
from deviceflow.pages.device.confirm import ConfirmPage
from deviceflow.pages.device.decide import DecideStep
from deviceflow.pages.device.done import DonePage
from deviceflow.pages.device.enter import EnterPage
from deviceflow.pages.device.submission import DeviceRequests
from deviceflow.pages.headers import security_headers
from deviceflow.pages.known_browser import KnownBrowsers
from deviceflow.pages.render import is_https
from deviceflow.pages.sign_in.password import PasswordPage
from deviceflow.pages.sign_in.session_start import SessionStart
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitors
from deviceflow.parts import Parts
from deviceflow.policy.code_lifetime import CodeLifetime


@dataclass(frozen=True, kw_only=True)
class SharedParts:
    """What the rooms of the pages share."""

    cookie: SessionCookie
    visitors: Visitors
    codes: Codes
    throttle: Throttle


def page_routes(parts: Parts, demo: Demo | None) -> list[web.RouteDef]:
    """List what people open."""
    shared = _shared(parts)
    pages = [
        *_sign_in(parts, shared).routes(),
        *_sign_out(parts, shared).routes(),
        *_device(parts, shared).routes(),
        *AuthorizePage().routes(),
    ]
    if demo:
        pages += demo_pages(parts.settings, demo).routes()
    return [*parts.below(pages), *_root_routes(parts.settings)]


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
    return SharedParts(
        cookie=cookie,
        visitors=visitors,
        codes=codes,
        throttle=Throttle(
            limits=parts.limits,
            codes=codes,
            lifetime=CodeLifetime(settings.device.lifetime_s, parts.clients),
        ),
    )


def _sign_in(parts: Parts, shared: SharedParts) -> PasswordPage:
    return PasswordPage(
        visitors=shared.visitors,
        codes=shared.codes,
        throttle=shared.throttle,
        known_browsers=KnownBrowsers(cookie=shared.cookie, key=parts.installation.challenge_key),
        users=parts.users,
        session_start=SessionStart(
            sessions=parts.sessions, cookie=shared.cookie, clock=parts.clock
        ),
    )


def _sign_out(parts: Parts, shared: SharedParts) -> SignOutPage:
    return SignOutPage(visitors=shared.visitors, sessions=parts.sessions, cookie=shared.cookie)


def _device(parts: Parts, shared: SharedParts) -> EnterPage:
    """Wire the steps, the last one first."""
    visitors, codes, throttle = shared.visitors, shared.codes, shared.throttle
    requests = DeviceRequests(codes=codes, clients=parts.clients, grants=parts.grants)
    form = CodeForm(
        visitors=visitors,
        codes=codes,
        grants=parts.grants,
        lifetime_s=parts.settings.device.lifetime_s,
    )
    done = DonePage(visitors=visitors, grants=parts.grants)
    confirm = ConfirmPage(
        settings=parts.settings,
        visitors=visitors,
        codes=codes,
        throttle=throttle,
        grants=parts.grants,
        requests=requests,
        form=form,
        done=done,
        clock=parts.clock,
    )
    decide = DecideStep(
        throttle=throttle, grants=parts.grants, requests=requests, confirm=confirm, done=done
    )
    return EnterPage(
        visitors=visitors,
        codes=codes,
        form=form,
        confirm=confirm,
        decide=decide,
    )


def _root_routes(settings: Settings) -> list[web.RouteDef]:
    """Send a person who types the host alone, from a television's screen, to the code page."""
    base = settings.base_path
    headers = security_headers(https=is_https(settings))
    headers["Location"] = f"{base}/device"

    async def lead_on(_: web.Request) -> web.Response:
        return web.Response(status=302, headers=headers)

    below = settings.route_path
    return [web.get(path, lead_on) for path in sorted({"/", below or "/", f"{below}/"})]
