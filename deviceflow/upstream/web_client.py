"""Requests to providers: bounded in bytes and in time, without redirects and cookies."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import aiohttp
import msgspec

from deviceflow.device.errors import DeviceFlowError
from deviceflow.device.proxies import proxy_for
from deviceflow.upstream.errors import Cause, UpstreamError

MAX_RESPONSE_BYTES = 262_144
TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
"""A person waits meanwhile."""

# Asking for no compression, and refusing it, is simpler than bounding what it unpacks to.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Response(NamedTuple):
    """The status of a response, and the JSON object in it; empty if there is none."""

    status: int
    body: dict[str, Any]


class Fetch(Protocol):
    """Sends a request: GET, or POST with a form. May raise UpstreamError."""

    async def __call__(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the response, whatever its status."""


class WebClient:
    """The client for all providers of a worker. It opens its first connection when it needs one."""

    def __init__(self, timeout: aiohttp.ClientTimeout = TIMEOUT) -> None:
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def fetch(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request, as `Fetch` says."""
        method = "GET" if form is None else "POST"
        try:
            async with self._opened().request(
                method,
                url,
                data=form,
                headers=_HEADERS | dict(headers or {}),
                allow_redirects=False,
                # Not aiohttp's `trust_env`: that also sends what a .netrc has for the host.
                proxy=proxy_for(url),
            ) as response:
                return await _read(response)
        except TimeoutError as error:
            raise UpstreamError(Cause.UNREACHABLE, f"{url}: no answer in time") from error
        except DeviceFlowError as error:
            raise UpstreamError(Cause.UNREACHABLE, str(error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The text of aiohttp's errors names the host and the failure, and no header.
            raise UpstreamError(Cause.UNREACHABLE, f"{url}: {_reason(error)}") from error

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> Response:
    where = str(response.url.with_query(None))
    if 300 <= response.status < 400:  # noqa: PLR2004, the redirects
        raise UpstreamError(Cause.BAD_RESPONSE, f"{where}: a redirect, which is not followed")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise UpstreamError(Cause.BAD_RESPONSE, f"{where}: compressed, which was not asked for")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            raise UpstreamError(
                Cause.BAD_RESPONSE, f"{where}: more than {MAX_RESPONSE_BYTES} bytes"
            )
    return Response(response.status, _json_object(bytes(body)))


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}..."  # noqa: PLR2004, a line
