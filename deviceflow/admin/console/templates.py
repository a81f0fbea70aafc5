"""The templates of the console and its static files, read once at start."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import jinja2
from aiohttp import web
from aiohttp.typedefs import Handler

from deviceflow.pages.headers import security_headers
from deviceflow.pages.static_files import StaticFiles
from deviceflow.pages.templates import JINJA, templates_dir

ROOT = "/console"

_POLICY = {"script-src": "'self'", "connect-src": "'self'"}
CONSOLE_HEADERS = security_headers(https=False, policy=_POLICY)
"""The headers of every page of the console. The admin port itself knows no TLS."""


class ConsoleTemplates:
    """Renders pages. `static`: the style sheet and the script."""

    def __init__(self, environment: jinja2.Environment, static: StaticFiles) -> None:
        self._environment = environment
        self.static = static
        # Functions, not filters: `page_faults` reads the templates without either.
        environment.globals.update(root=ROOT, static=static.address)
        environment.globals.update(in_path=_path, when=_when, iso=_iso, per_s=_rate, percent=_part)

    def page(self, template: str, context: Mapping[str, Any], status: int = 200) -> web.Response:
        """Render a page with the headers that every page carries."""
        text = self._environment.get_template(template).render(context)
        return web.Response(
            text=text,
            status=status,
            content_type="text/html",
            charset="utf-8",
            headers=CONSOLE_HEADERS,
        )


def console_templates() -> ConsoleTemplates:
    """Read the templates. May raise OSError."""
    folder = templates_dir() / "console"
    environment = jinja2.Environment(  # noqa: S701, JINJA has autoescape
        loader=jinja2.FileSystemLoader(folder), **JINJA
    )
    return ConsoleTemplates(environment, StaticFiles(folder / "static", ROOT, https=False))


def switched_off(templates: ConsoleTemplates) -> web.Application:
    """Make a console without tokens: every address has a page that says how to turn it on."""

    @web.middleware
    async def say(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(f"{ROOT}/static/"):
            return await handler(request)
        return templates.page("off.html", {"operator": None}, 403)

    app = web.Application(middlewares=[say])
    app.router.add_get("/static/{name}", templates.static.get)
    return app


def _path(text: object) -> str:
    """Write a text as one segment of a path."""
    return quote(str(text), safe="")


def _iso(then: float) -> str:
    """Write a time (s) for machines."""
    return f"{datetime.fromtimestamp(then, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _when(then: float) -> str:
    """Write a time (s) for people without a script, who read UTC."""
    return f"{datetime.fromtimestamp(then, UTC):%d %b %Y %H:%M} UTC"


def _rate(value: float) -> str:
    return f"{value:,.1f}"


def _part(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"  # noqa: RUF001, a dash for no value
