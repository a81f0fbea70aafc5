"""An answer of aiohttp's kind as the bytes that aiohttp would send."""

from collections.abc import Mapping
from email.utils import formatdate

from aiohttp import web

from deviceflow.oauth.answers import SERVER


def wire(response: web.Response, now: float, added: Mapping[str, str], *, close: bool) -> bytes:
    """Write `response` as aiohttp would send it, to the byte, with the headers `added` last."""
    body = response.body
    if not isinstance(body, bytes):
        raise TypeError("an answer of the lane has its body at hand")
    headers = dict(response.headers)
    headers["Content-Length"] = str(len(body))
    headers["Date"] = formatdate(now, usegmt=True)
    headers["Server"] = SERVER
    if close:
        headers["Connection"] = "close"
    headers.update(added)
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
