"""An HTTP exchange with a server. The result is a `Reply` or an `UnreachableError`."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp

from deviceflow.device.answers import Reply, printable
from deviceflow.device.causes import cause_of
from deviceflow.device.errors import MalformedAnswerError, UnreachableError
from deviceflow.device.proxies import proxy_for

# The largest answers are metadata documents, of a few kilobytes.
MAX_BODY_BYTES = 1 << 20
_REDIRECTION = 3
_HELD = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?\d', re.IGNORECASE)


async def fetch(
    session: aiohttp.ClientSession,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float,
) -> Reply:
    """GET the address, or POST the form to it. Redirects are not followed.

    A proxy of the environment is used. May raise UnreachableError, MalformedAnswerError (an answer
    of more than MAX_BODY_BYTES), DeviceFlowError (a proxy that cannot be used).
    """
    proxy = proxy_for(url)
    method = "GET" if form is None else "POST"
    try:
        async with session.request(
            method,
            url,
            data=form,
            headers={"Accept": "application/json", **(headers or {})},
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            allow_redirects=False,
            proxy=proxy,
        ) as response:
            return reply_of(response.status, response.headers, await _body(response))
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        cause = cause_of(error, timeout_s, proxy)
        raise UnreachableError(origin(url), cause.reason, cause.advice) from error


def reply_of(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Keep the parts of an answer that matter here. `headers`: in any case."""
    return Reply(
        status=status,
        body=body,
        retry_after=retry_after(headers),
        held=_HELD.search(headers.get("Preference-Applied", "")) is not None,
        redirect=_redirect(status, headers),
    )


def origin(url: str) -> str:
    """Return the scheme and authority of an address, for messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, in seconds (RFC 9110 10.2.3). A date counts from the answer's Date."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until - parsedate_to_datetime(headers.get("Date", ""))).total_seconds())
    except (TypeError, ValueError):
        return None


def _redirect(status: int, headers: Mapping[str, str]) -> str:
    """Describe where Location leads: an origin, or a few words."""
    location = headers.get("Location", "")
    if status // 100 != _REDIRECTION or not location:
        return ""
    try:
        parts = urlsplit(location)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "no address"
    if not host:
        return "another path"
    return printable(f"{parts.scheme or 'https'}://{host}{f':{port}' if port else ''}")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise MalformedAnswerError(
                f"The answer of {origin(str(response.url))} is longer than any OAuth answer is. "
                "Is the address right?"
            )
    return bytes(body)
