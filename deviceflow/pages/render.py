"""Templates into answers.

Everything a page needs is read once at start: a page costs no disk, and no request can name a
file that was not there.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import aiohttp_jinja2
import jinja2
import structlog
from aiohttp import web

from deviceflow.config import Pages, Settings
from deviceflow.core.image import Image
from deviceflow.pages.headers import security_headers
from deviceflow.pages.languages import LANGUAGES, read_languages
from deviceflow.pages.look import Look, read_look
from deviceflow.pages.static_files import StaticFiles
from deviceflow.pages.templates import JINJA, make_loader, templates_dir
from deviceflow.pages.texts import install_texts, language
from deviceflow.pages.words import title_in_words

log = structlog.get_logger()

HTTPS = web.AppKey("https", bool)
"""Whether people reach the issuer over TLS."""

BASE = web.AppKey("base", str)
"""The path of the issuer: every path of this server begins with it."""

_PAGES = web.AppKey("pages", Pages)

USER_CODE = web.RequestKey("user_code", str)
"""A request's code, if its form had one: an error page leads on with it."""


_ORIGINALS = web.AppKey("originals", jinja2.Environment)
"""The templates of this package alone, where the operator has replaced some."""


def setup(app: web.Application, settings: Settings) -> None:
    """Give `app` the Jinja environment and the route `/static/<name>`.

    May raise `OSError` (the templates or the static files cannot be read), `TextsError` and
    `LookError` (a file that the settings name is no good).
    """
    base, https, folder = settings.base_path, is_https(settings), templates_dir()
    static = StaticFiles(folder / "static", base, https=https)
    app[BASE] = base
    app[HTTPS] = https
    app[_PAGES] = settings.pages
    app[LANGUAGES] = read_languages(settings)
    shared = {
        "links": settings.pages.links,
        "static": static.address,
        "base": base,
        "look": _show(read_look(settings), static),
    }
    own = settings.pages.templates_dir
    aiohttp_jinja2.setup(app, loader=make_loader(own, folder), default_helpers=False, **JINJA)
    environments = [aiohttp_jinja2.get_env(app)]
    if own is not None:
        app[_ORIGINALS] = jinja2.Environment(  # noqa: S701, JINJA has autoescape
            loader=make_loader(None, folder), **JINJA
        )
        environments.append(app[_ORIGINALS])
    for environment in environments:
        environment.globals.update(shared)
        install_texts(environment)
    app.router.add_get(settings.route("/static/{name}"), static.get)


class ShownLook(NamedTuple):
    """The own look as templates use it: names of static files, empty or left out for none."""

    logo: str
    style: str
    clients: dict[str, str]


def _show(look: Look, static: StaticFiles) -> ShownLook:
    """Have the files of the own look delivered."""

    def name(image: Image) -> str:
        return static.add("logo", image.extension, image.body)

    return ShownLook(
        logo=name(look.logo) if look.logo else "",
        style=static.add("look", "css", look.style.encode()) if look.style else "",
        clients={client_id: name(image) for client_id, image in look.clients.items()},
    )


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
    text = _text(request.app, template, context)
    return web.Response(
        text=text,
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers=security_headers(https=request.app[HTTPS], policy=policy) | _language_headers(),
    )


def _text(app: web.Application, template: str, context: Mapping[str, Any]) -> str:
    """Render `template`. Where the operator's own one fails, the original takes its place."""
    context = _shared(app) | dict(context)
    try:
        return aiohttp_jinja2.get_env(app).get_template(template).render(context)
    except Exception as error:
        originals = app.get(_ORIGINALS)
        if originals is None:
            raise
        reason = f"{type(error).__name__}: {error}"
        # Without a traceback, which may hold what a person typed.
        log.error("template.failed", template=template, reason=reason)  # noqa: TRY400
        return originals.get_template(template).render(context)


def written(
    app: web.Application, template: str, context: Mapping[str, Any], *, status: int
) -> Callable[[], web.Response]:
    """Render `template` once, for requests of which nothing is known."""
    text = _text(app, template, context)
    headers = security_headers(https=app[HTTPS]) | _language_headers()

    def make() -> web.Response:
        return web.Response(
            text=text, status=status, content_type="text/html", charset="utf-8", headers=headers
        )

    return make


def _shared(app: web.Application) -> dict[str, Any]:
    """Return what every template has."""
    return {
        "title": title_in_words(app[_PAGES]),
        "language": language(),
        "language_menu": app[LANGUAGES].menu,
    }


def _language_headers() -> dict[str, str]:
    """Say in which language a page is, and what that depends on (RFC 9110 8.5, 12.5.5)."""
    return {"Content-Language": language().tag, "Vary": "Accept-Language, Cookie"}
