"""A program of the operator's on loopback that keeps what is posted to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class Receiver:
    """Answers with `status`, and with the address of another page, where a client may not go."""

    status: int = 204
    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The bodies, read as JSON."""
        return [msgspec.json.decode(body) for body in self.bodies]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Receiver"]:
        app = web.Application()
        app.router.add_post("/{name}", self._take)
        async with TestServer(app) as server:
            self.url = str(server.make_url("/hook"))
            yield self

    async def _take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})
