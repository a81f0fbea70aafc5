"""An HTTP exchange with a server. The result is a `Reply` or an `UnreachableError`."""

import os
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp

from deviceflow.device.answers import Reply, printable
from deviceflow.device.errors import MalformedAnswerError, UnreachableError

# The largest answers are metadata documents, of a few kilobytes.
MAX_BODY_BYTES = 1 << 20
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

    May raise UnreachableError, MalformedAnswerError (an answer of more than MAX_BODY_BYTES).
    """
    method = "GET" if form is None else "POST"
    try:
        async with session.request(
            method,
            url,
            data=form,
            headers={"Accept": "application/json", **(headers or {})},
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            allow_redirects=False,
        ) as response:
            return Reply(
                status=response.status,
                body=await _body(response),
                retry_after=retry_after(response.headers),
                held=_HELD.search(response.headers.get("Preference-Applied", "")) is not None,
            )
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise UnreachableError(origin(url), _reason(error, timeout_s)) from error


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


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "no such host"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted ({printable(str(error.certificate_error))})"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return printable(str(error)) or type(error).__name__
