"""The pages of one worker, wired: what each one uses is written here, once."""

from aiohttp import web

from deviceflow.config import Settings
from deviceflow.pages.device.codes import Codes
from deviceflow.pages.device.pages import DevicePages
from deviceflow.pages.headers import security_headers
from deviceflow.pages.sign_in.password import LoginPages
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitors
from deviceflow.parts import Parts


def page_routes(parts: Parts) -> list[web.RouteDef]:
    """List what people open."""
    settings = parts.settings
    visitors = Visitors(
        settings, parts.sessions, parts.users, parts.callers, parts.installation.challenge_key
    )
    codes = Codes(settings.device.user_code, parts.clients)
    throttle = Throttle(parts.limits, settings.device.lifetime_s)
    login = LoginPages(
        settings=settings,
        visitors=visitors,
        codes=codes,
        throttle=throttle,
        users=parts.users,
        sessions=parts.sessions,
        clock=parts.clock,
    )
    device = DevicePages(
        settings=settings,
        visitors=visitors,
        codes=codes,
        throttle=throttle,
        clients=parts.clients,
        grants=parts.grants,
        clock=parts.clock,
    )
    return [*parts.below([*login.routes(), *device.routes()]), *_root_routes(settings)]


def _root_routes(settings: Settings) -> list[web.RouteDef]:
    """Send a person who types the host alone, from a television's screen, to the code page."""
    base = settings.base_path
    headers = security_headers(https=settings.issuer_url.startswith("https://"))
    headers["Location"] = f"{base}/device"

    async def lead_on(_: web.Request) -> web.Response:
        return web.Response(status=302, headers=headers)

    return [web.get(path, lead_on) for path in sorted({"/", base or "/", f"{base}/"})]
