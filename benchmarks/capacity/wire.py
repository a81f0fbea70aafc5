"""Requests of devices and browsers as bytes, over connections that are kept or not."""

import asyncio
import ssl
from collections.abc import Sequence
from typing import NamedTuple, Self
from urllib.parse import quote, urlencode

from benchmarks.polls import CLIENT_ID, USER_AGENT
from benchmarks.processes import BenchmarkError

CONNECTIONS = 32
_TIMEOUT_S = 30.0
REFRESH = "refresh_token"
BROWSER = (
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0 Mobile Safari/537.36"
)


class Answer(NamedTuple):
    """An answer. `size`: bytes of the request and of the whole answer."""

    status: int
    head: str
    body: bytes
    size: int

    def header(self, name: str) -> str:
        """Return the value of a header, or an empty text."""
        for line in self.head.split("\r\n")[1:]:
            field, _, value = line.partition(":")
            if field.lower() == name:
                return value.strip()
        return ""


class Line:
    """A connection to a server of this machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext | None = None) -> Self:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))

    async def send(self, request: bytes) -> Answer:
        """Send a request, and return the answer. May raise BenchmarkError."""
        self.writer.write(request)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                head = (await self._reader.readuntil(b"\r\n\r\n"))[:-4].decode()
                found = Answer(int(head[9:12]), head, b"", 0)
                body = await self._reader.readexactly(int(found.header("content-length") or 0))
        except (asyncio.IncompleteReadError, TimeoutError, OSError) as error:
            first = request.partition(b"\r\n")[0].decode()
            raise BenchmarkError(f"{first}: no answer: {error!r}") from error
        return found._replace(body=body, size=len(request) + len(head) + 4 + len(body))

    def close(self) -> None:
        """Close the connection."""
        self.writer.close()


async def send_all(
    port: int, requests: Sequence[bytes], connections: int = CONNECTIONS
) -> list[Answer]:
    """Send the requests over some connections that are kept; return the answers in their order."""
    answers: list[Answer | None] = [None] * len(requests)
    left = iter(enumerate(requests))

    async def work() -> None:
        line = await Line.open(port)
        for number, request in left:
            answers[number] = await line.send(request)
        line.close()

    await asyncio.gather(*(work() for _ in range(min(connections, len(requests)))))
    return [answer for answer in answers if answer is not None]


async def send_apart(port: int, requests: Sequence[bytes]) -> list[Answer]:
    """Send the requests, a connection for each; return the answers."""
    left = iter(requests)
    answers: list[Answer] = []

    async def work() -> None:
        for request in left:
            line = await Line.open(port)
            answers.append(await line.send(request))
            line.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return answers


def refresh_request(port: int, token: str) -> bytes:
    """Make a refresh (RFC 6749 6)."""
    body = f"grant_type={REFRESH}&client_id={CLIENT_ID}&refresh_token={quote(token, safe='')}"
    lines = (
        "POST /oauth2/token HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"User-Agent: {USER_AGENT}",
        "Accept: application/json",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def browser_request(port: int, path: str, cookie: str, form: dict[str, str] | None = None) -> bytes:
    """Make a request of a person's browser: a page, or a form that is sent."""
    body = urlencode(form) if form else ""
    lines = [
        f"{'POST' if form else 'GET'} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"User-Agent: {BROWSER}",
        "Accept: text/html,application/xhtml+xml",
        "Accept-Language: en",
        "Sec-Fetch-Site: same-origin",
        f"Origin: http://127.0.0.1:{port}",
    ]
    lines += [f"Cookie: {cookie}"] if cookie else []
    if form:
        lines.append("Content-Type: application/x-www-form-urlencoded")
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
