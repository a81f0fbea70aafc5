"""An endpoint that answers when a test tells it to."""

import asyncio

from aiohttp import web


class Slow:
    """An endpoint that answers when it is told to. `request`: the newest one."""

    request: web.Request

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.Response:
        self.request = request
        self.started.set()
        await self.release.wait()
        return web.json_response({"error": "slow"})
