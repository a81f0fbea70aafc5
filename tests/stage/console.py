"""An operator's browser in front of the console, without a screen."""

import re
from html import unescape
from typing import Any

from aiohttp import ClientResponse
from yarl import URL

from deviceflow.admin.console.session import CONSOLE_COOKIE
from tests.stage.admin import TOKEN
from tests.stage.oauth import Worker


class ConsoleBrowser:
    """It keeps the cookie as a browser does on loopback, and follows no redirect by itself."""

    def __init__(self, worker: Worker, host: str = "127.0.0.1:8629") -> None:
        self.worker = worker
        self.host = host
        self.cookie = ""
        self.page = ""
        self.answer: ClientResponse

    async def open(self, path: str, **options: Any) -> ClientResponse:  # noqa: ANN401, aiohttp's
        return await self.send("GET", path, **options)

    async def submit(self, path: str, **fields: str) -> ClientResponse:
        """Send a form of the page that is open."""
        return await self.send("POST", path, data=self.hidden | fields)

    async def sign_in(self, token: str = TOKEN) -> ClientResponse:
        await self.open("/console/sign-in")
        await self.submit("/console/sign-in", token=token)
        return await self.follow()

    async def follow(self) -> ClientResponse:
        """Go where the redirects lead that were answered."""
        while self.answer.status == 303:
            await self.open(self.answer.headers["Location"])
        return self.answer

    async def send(self, method: str, path: str, **options: Any) -> ClientResponse:  # noqa: ANN401, aiohttp's
        headers = {"Host": self.host} | options.pop("headers", {})
        if self.cookie:
            headers["Cookie"] = f"{CONSOLE_COOKIE}={self.cookie}"
        admin = self.worker.admin
        self.answer = await admin.request(
            method, URL(path, encoded=True), headers=headers, allow_redirects=False, **options
        )
        self.page = await self.answer.text()
        admin.session.cookie_jar.clear()
        if CONSOLE_COOKIE in self.answer.cookies:
            self.cookie = self.answer.cookies[CONSOLE_COOKIE].value
        return self.answer

    @property
    def place(self) -> str:
        """Where the last redirect leads."""
        return self.answer.headers["Location"]

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page."""
        found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.page)
        return {name: unescape(value) for name, value in found}

    @property
    def text(self) -> str:
        """What a person reads, on one line."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.page)).split())
