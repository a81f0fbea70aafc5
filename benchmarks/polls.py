"""Polls as bytes, and files of device codes for the load.

A pending grant needs only a sealed code, because the server looks up nothing. So the codes are
sealed here with the installation's key, and not requested from the server.
"""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from deviceflow.core.device_code import NONCE_BITS, DeviceCodes
from deviceflow.core.messages import DEVICE_CODE_GRANT

CLIENT_ID = "tv-app"
SCOPE = "openid profile offline_access"
USER_AGENT = "ExampleTV/4.2 (Linux; armv8; de-DE) app/1.9"
CODE_LENGTH = 43
CLOSE = "Connection: close"
LIFETIME_S = 86_400
REPORT_EVERY = 10_000

_NONCES = 1 << NONCE_BITS


def poll_start(port: int, *, close: bool = False, wait: int = 0) -> bytes:
    """Make a poll without its device code, which comes last."""
    body = f"grant_type={quote(DEVICE_CODE_GRANT, safe='')}&client_id={CLIENT_ID}&device_code="
    extra = (*((f"Prefer: wait={wait}",) if wait else ()), *((CLOSE,) if close else ()))
    return form_request(port, "/oauth2/token", body, CODE_LENGTH, extra)


def authorization_request(port: int) -> bytes:
    """Make a device authorization request."""
    body = f"client_id={CLIENT_ID}&scope={quote(SCOPE)}"
    return form_request(port, "/oauth2/device_authorization", body)


def refresh_request(port: int, refresh_token: str) -> bytes:
    """Make a refresh (RFC 6749 6)."""
    token = quote(refresh_token, safe="")
    body = f"grant_type=refresh_token&client_id={CLIENT_ID}&refresh_token={token}"
    return form_request(port, "/oauth2/token", body)


def form_request(
    port: int, path: str, body: str, more: int = 0, extra: Sequence[str] = ()
) -> bytes:
    """Make a request that sends a form. `more`: bytes to come; `extra`: lines of the header."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"User-Agent: {USER_AGENT}",
        "Accept: application/json",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body) + more}",
        *extra,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def seal(
    codes: DeviceCodes, count: int, *, interval: int = 1, done: Callable[[int], None] | None = None
) -> list[str]:
    """Seal the device codes of `count` pending grants, in random order."""
    source = random.Random(8628)
    expires_at = int(time.time()) + LIFETIME_S
    sealed = []
    for slot in range(1, count + 1):
        grant_id = slot << NONCE_BITS | source.randrange(_NONCES)
        sealed.append(codes.seal(grant_id, expires_at, interval, CLIENT_ID))
        if done and slot % REPORT_EVERY == 0:
            done(REPORT_EVERY)
    source.shuffle(sealed)
    return sealed


def write_codes(sealed: list[str], path: Path) -> Path:
    """Write the codes one after the other, without separators."""
    path.write_text("".join(sealed), encoding="ascii")
    return path
