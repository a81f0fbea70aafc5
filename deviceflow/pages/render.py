"""Templates into answers, and the static files that they link to.

Everything a page needs is read once at start: a page costs no disk, and no request can name a
file that was not there.
"""

import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from deviceflow.config import Settings
from deviceflow.pages.headers import security_headers

HTTPS = web.AppKey("https", bool)
"""Whether people reach the issuer over TLS."""

BASE = web.AppKey("base", str)
"""What stands before every path of ours: the path of the issuer."""

_KEEP_FOR_EVER = "public, max-age=31536000, immutable"


def setup(app: web.Application, settings: Settings) -> None:
    """Give `app` the Jinja environment and the route `/static/<name>`.

    Raises `OSError` if the templates cannot be read.
    """
    base, templates = settings.base_path, templates_dir()
    static = StaticFiles(templates / "static", base, https=_is_https(settings))
    app[BASE] = base
    app[HTTPS] = _is_https(settings)
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        default_helpers=False,
    )
    environment = aiohttp_jinja2.get_env(app)
    environment.globals.update(title=settings.pages.title, static=static.address, base=base)
    app.router.add_get(base + "/static/{name}", static.get)


def templates_dir() -> Path:
    """Find the templates: inside the wheel in the package, in a checkout beside it."""
    package = Path(__file__).parents[1]
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


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
    text = aiohttp_jinja2.render_string(template, request, context)
    return web.Response(
        text=text,
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers=security_headers(https=request.app[HTTPS], policy=policy),
    )


def see_other(request: web.Request, location: str) -> web.Response:
    """Continue at `location`, a path of ours, by GET: 303, never 307 (RFC 9700 4.12)."""
    address = request.app[BASE] + location
    headers = security_headers(https=request.app[HTTPS]) | {"Location": address}
    return web.Response(status=303, headers=headers)


class StaticFiles:
    """The files of one folder, held in memory and named by what is in them."""

    def __init__(self, folder: Path, base: str, *, https: bool) -> None:
        self._base = base
        self._bodies = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        self._versions = {
            name: hashlib.sha256(body).hexdigest()[:12] for name, body in self._bodies.items()
        }
        self._headers = security_headers(https=https)

    def address(self, name: str) -> str:
        """Make the address of a file; it changes with the content, so it may be kept for ever.

        Raises `KeyError` for a file that was not there at start.
        """
        return f"{self._base}/static/{name}?v={self._versions[name]}"

    async def get(self, request: web.Request) -> web.Response:
        """Answer with one file, or 404."""
        name = request.match_info["name"]
        body = self._bodies.get(name)
        if body is None:
            raise web.HTTPNotFound
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        charset = "utf-8" if kind.startswith("text/") else None
        headers = dict(self._headers)
        if request.query.get("v") == self._versions[name]:
            headers["Cache-Control"] = _KEEP_FOR_EVER
        return web.Response(body=body, content_type=kind, charset=charset, headers=headers)


def _is_https(settings: Settings) -> bool:
    return settings.issuer_url.startswith("https://")
