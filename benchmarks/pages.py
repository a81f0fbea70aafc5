"""The pages of this server as a person's browser requests them, and the token in their forms."""

import re
from urllib.parse import urlencode

from benchmarks.processes import BenchmarkError

BROWSER = (
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0 Mobile Safari/537.36"
)
_CSRF = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


def address_of(number: int) -> str:
    """Return the address of a person, as a trusted proxy would say it in X-Forwarded-For."""
    return f"198.18.{number // 250}.{number % 250 + 1}"


def csrf_token(page: str) -> str:
    """Return the token of a page's form. May raise BenchmarkError: it has none."""
    found = _CSRF.search(page)
    if found is None:
        raise BenchmarkError("a page has no form: is the session known?")
    return found[1]


def page_request(
    port: int,
    path: str,
    cookie: str = "",
    form: dict[str, str] | None = None,
    *,
    address: str = "",
) -> bytes:
    """Make a request for a page, or one that sends a form. `address`: for a trusted proxy."""
    body = urlencode(form) if form else ""
    lines = [
        f"{'POST' if form else 'GET'} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"User-Agent: {BROWSER}",
        "Accept: text/html,application/xhtml+xml",
        "Accept-Language: en",
        "Sec-Fetch-Site: same-origin",
        f"Origin: http://127.0.0.1:{port}",
        *((f"X-Forwarded-For: {address}",) if address else ()),
        *((f"Cookie: {cookie}",) if cookie else ()),
        *(("Content-Type: application/x-www-form-urlencoded",) if body else ()),
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
