"""Templates into answers.

Everything a page needs is read once at start: a page costs no disk, and no request can name a
file that was not there.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from deviceflow.config import Pages, Settings
from deviceflow.config.settings import DEFAULT_TITLE
from deviceflow.pages.headers import security_headers
from deviceflow.pages.languages import LANGUAGES, read_languages
from deviceflow.pages.static_files import StaticFiles
from deviceflow.pages.texts import gettext, install_texts, language
from deviceflow.pages.words import in_language

HTTPS = web.AppKey("https", bool)
"""Whether people reach the issuer over TLS."""

BASE = web.AppKey("base", str)
"""The path of the issuer: every path of this server begins with it."""

_PAGES = web.AppKey("pages", Pages)

USER_CODE = web.RequestKey("user_code", str)
"""A request's code, if its form had one: an error page leads on with it."""


def setup(app: web.Application, settings: Settings) -> None:
    """Give `app` the Jinja environment and the route `/static/<name>`.

    May raise `OSError`: the templates or the static files cannot be read. May raise `TextsError`.
    """
    base, https, templates = settings.base_path, is_https(settings), templates_dir()
    static = StaticFiles(templates / "static", base, https=https)
    app[BASE] = base
    app[HTTPS] = https
    app[_PAGES] = settings.pages
    app[LANGUAGES] = read_languages(settings)
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        default_helpers=False,
    )
    environment.globals.update(static=static.address, base=base)
    install_texts(environment)
    app.router.add_get(settings.route("/static/{name}"), static.get)


def templates_dir() -> Path:
    """Find the templates: inside the wheel in the package, in a checkout beside it."""
    package = Path(__file__).parents[1]
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def is_https(settings: Settings) -> bool:
    """Say whether people reach the issuer over TLS."""
    return settings.issuer_url.startswith("https://")


def render(
    request: web.Request,
    template: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    policy: Mapping[str, str] | None = None,
) -> web.Response:
    """Render `template` with the headers that every page carries.

    `policy`: as in `headers.security_headers`.
    """
    context = _shared(request.app) | dict(context)
    text = aiohttp_jinja2.render_string(template, request, context)
    return web.Response(
        text=text,
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers=security_headers(https=request.app[HTTPS], policy=policy) | _language_headers(),
    )


def written(
    app: web.Application, template: str, context: Mapping[str, Any], *, status: int
) -> Callable[[], web.Response]:
    """Render `template` once, for requests of which nothing is known."""
    context = _shared(app) | dict(context)
    text = aiohttp_jinja2.get_env(app).get_template(template).render(context)
    headers = security_headers(https=app[HTTPS]) | _language_headers()

    def make() -> web.Response:
        return web.Response(
            text=text, status=status, content_type="text/html", charset="utf-8", headers=headers
        )

    return make


def _shared(app: web.Application) -> dict[str, Any]:
    """Return what every template has."""
    return {
        "title": _title(app[_PAGES]),
        "language": language(),
        "language_menu": app[LANGUAGES].menu,
    }


def _title(pages: Pages) -> str:
    """Return the name at the top of each page, translated if it is the default."""
    return gettext("base.title") if pages.title == DEFAULT_TITLE else in_language(pages.title)


def _language_headers() -> dict[str, str]:
    """Say in which language a page is, and what that depends on (RFC 9110 8.5, 12.5.5)."""
    return {"Content-Language": language().tag, "Vary": "Accept-Language, Cookie"}
