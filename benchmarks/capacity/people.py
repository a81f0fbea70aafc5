"""A person's browser: signs in with a password, enters codes and approves.

It has one connection for each of these. Real browsers open more, which changes little.
"""

import re
from html import unescape

from benchmarks.pages import csrf_token, page_request
from benchmarks.processes import BenchmarkError
from benchmarks.signing_in import PASSWORD
from benchmarks.wire import Answer, Line

_FILE = re.compile(r'(?:href|src)="([^"]*/static/[^"]+)"')


class Browser:
    """The browser of one person. `size`: bytes to and from it. `pages`: requests."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._line: Line | None = None
        self._cookies: dict[str, str] = {}
        self._csrf = ""
        self._files: set[str] = set()
        self.size = 0
        self.pages = 0

    async def sign_in(self, name: str) -> None:
        """Open the form, send the password. May raise BenchmarkError."""
        await self._connect()
        await self._form("/login")
        form = {"csrf_token": self._csrf, "username": name, "password": PASSWORD}
        answer = await self._send("/login", form)
        if answer.header("location") != "/device":
            raise BenchmarkError(f"a sign-in was answered {answer.status}")

    async def approve(self, user_code: str) -> None:
        """Enter a code, read the page that asks, approve, and read how it ended.

        May raise BenchmarkError.
        """
        await self._connect()
        await self._form("/device")
        form = {"csrf_token": self._csrf, "user_code": user_code}
        await self._step(form, "/device/confirm")
        form = {"csrf_token": self._csrf, "user_code": user_code, "decision": "approve"}
        await self._step(form, "/device/done")

    async def _step(self, form: dict[str, str], leads_to: str) -> None:
        answer = await self._send("/device", form)
        location = answer.header("location")
        if not location.startswith(leads_to):
            raise BenchmarkError(f"a code led to {location or answer.status}, not to {leads_to}")
        await self._page(location)

    async def _form(self, path: str) -> None:
        self._csrf = csrf_token(await self._page(path))

    async def _page(self, path: str) -> str:
        """Open a page with its files, which a browser keeps. May raise BenchmarkError."""
        answer = await self._send(path)
        if answer.status != 200:
            raise BenchmarkError(f"the page {path} was answered {answer.status}")
        text = answer.body.decode()
        for file in set(_FILE.findall(text)) - self._files:
            self._files.add(file)
            await self._send(unescape(file))
        return text

    async def _send(self, path: str, form: dict[str, str] | None = None) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        line = self._line or await self._connect()
        answer = await line.send(page_request(self._port, path, cookie, form))
        for value in answer.headers("Set-Cookie"):
            name, _, rest = value.partition("=")
            self._cookies[name] = rest.partition(";")[0]
        self.size += answer.size
        self.pages += 1
        return answer

    async def _connect(self) -> Line:
        self.close()
        self._line = await Line.open(self._port)
        return self._line

    def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.close()
