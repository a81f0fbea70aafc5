"""The pages of one worker, wired: what each one uses is written here, once."""

from urllib.parse import urlsplit

from aiohttp import web

from deviceflow.config import Settings
from deviceflow.pages.account.routes import account_routes, security_routes, sign_out_page
from deviceflow.pages.at_issuer import AtIssuer
from deviceflow.pages.authorize import AuthorizePage
from deviceflow.pages.codes import Codes
from deviceflow.pages.demo import Demo, demo_pages
from deviceflow.pages.device.routes import device_routes
from deviceflow.pages.errors import SURROUNDINGS, Surroundings
from deviceflow.pages.headers import security_headers
from deviceflow.pages.languages import LANGUAGES
from deviceflow.pages.redirect import see_other
from deviceflow.pages.render import is_https
from deviceflow.pages.shared import shared_parts
from deviceflow.pages.short_address import ShortAddressPage
from deviceflow.pages.sign_in.routes import sign_in_routes, upstream_routes
from deviceflow.parts import Parts

_ALMOST_A_PAGE = r"/{page:(?i:/*(?:device(?:/+(?:confirm|done|sent))?|login|logout|account)/*)}"
"""A page's address in other case, or with a slash too many; the right one has a route before."""


def add_pages(app: web.Application, parts: Parts, demo: Demo | None) -> None:
    """Give `app` what people open, and what its error pages say of the visitor."""
    shared = shared_parts(parts)
    pages = [
        *sign_in_routes(parts, shared),
        *upstream_routes(parts, shared),
        *sign_out_page(parts, shared).routes(),
        *account_routes(parts, shared),
        *security_routes(parts, shared),
        *device_routes(parts, shared),
        *AuthorizePage().routes(),
        *app[LANGUAGES].routes(),
    ]
    at_issuer = AtIssuer(issuer=parts.settings.issuer_url, codes=shared.codes)
    pages = [at_issuer.lead(route) for route in pages]
    if demo:
        pages += demo_pages(parts.settings, demo).routes()
    app[SURROUNDINGS] = Surroundings(meet=shared.visitors.introduce, carry=shared.codes.carry)
    app.add_routes([*parts.below(pages), *_root_routes(parts.settings, shared.codes)])


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
