"""Serve openapi.json, which describes the API (OpenAPI 3.1)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from deviceflow import __version__
from deviceflow.admin.api.requests import api_response

_WRITTEN = Path(__file__).with_name("openapi.json")


def admin_document(base: str) -> dict[str, Any]:
    """Return the document of an API below `base`."""
    described: dict[str, Any] = msgspec.json.decode(_WRITTEN.read_bytes())
    described["info"]["version"] = __version__
    described["servers"] = [{"url": base}]
    return described


@dataclass(frozen=True, kw_only=True)
class PublishedDocument:
    """The document, at `path`. It needs no token."""

    described: dict[str, Any]
    path: str = "/openapi.json"

    def routes(self) -> list[web.RouteDef]:
        """List the route."""
        return [web.get(self.path, self.get)]

    async def get(self, _: web.Request) -> web.Response:
        """Answer with the document."""
        return api_response(self.described)


def published_document(base: str) -> PublishedDocument:
    """Read the document."""
    return PublishedDocument(described=admin_document(base))
