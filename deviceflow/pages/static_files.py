"""The static files that pages link to."""

import hashlib
import mimetypes
from pathlib import Path

from aiohttp import web

from deviceflow.pages.headers import security_headers

_KINDS = {"webp": "image/webp", "svg": "image/svg+xml"}
"""Types that the tables of some systems lack."""

_UNKNOWN = "application/octet-stream"
_KEEP_FOR_EVER = "public, max-age=31536000, immutable"


class StaticFiles:
    """The files of one folder, held in memory and named by what is in them."""

    def __init__(self, folder: Path, base: str, *, https: bool) -> None:
        self._base = base
        self._bodies = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        self._versions = {
            name: hashlib.sha256(body).hexdigest()[:12] for name, body in self._bodies.items()
        }
        self._headers = security_headers(https=https)

    def add(self, stem: str, extension: str, body: bytes) -> str:
        """Add a file that is not in the folder; return its name, which has a hash of its content.

        So a file of another content is never answered under the name of an earlier one.
        """
        version = hashlib.sha256(body).hexdigest()[:12]
        name = f"{stem}-{version}.{extension}"
        self._bodies[name], self._versions[name] = body, version
        return name

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
        kind = _KINDS.get(name.rpartition(".")[2]) or mimetypes.guess_type(name)[0] or _UNKNOWN
        charset = "utf-8" if kind.startswith("text/") else None
        headers = dict(self._headers)
        if request.query.get("v") == self._versions[name]:
            headers["Cache-Control"] = _KEEP_FOR_EVER
        return web.Response(body=body, content_type=kind, charset=charset, headers=headers)
