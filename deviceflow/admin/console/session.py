"""The sessions of operators in the console: cookies that this server has sealed.

A cookie says until when it is good, and which token began it; a seal keeps both from being made up.
The seal needs the token itself, and a key of the installation: neither alone makes one.
There is no record of it in the store, so the console works while the store is away. A token that
is taken out of the file ends its sessions.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from deviceflow.admin.tokens import AdminTokens
from deviceflow.core.clock import Clock

CONSOLE_COOKIE = "deviceflow-console"
CONSOLE_SESSION_S = 8 * 3600

_SEAL = b"df-console"
_FORM = b"df-console-form"


@dataclass(frozen=True, kw_only=True)
class ConsoleSessions:
    """Begins sessions and recognises them. `key` gives 16 to 64 secret bytes, as in `Csrf`.

    The cookie is sent to this site only (SameSite=Strict), over TLS or to loopback only (Secure),
    and no script can read it (HttpOnly).
    """

    tokens: AdminTokens
    key: Callable[[], bytes]
    clock: Clock

    def begin(self, response: web.Response, operator: str) -> None:
        """Give the browser a session of an operator, whose token was right."""
        ends_at = int(self.clock()) + CONSOLE_SESSION_S
        facts = f"{operator}.{ends_at}.{secrets.token_urlsafe(16)}"
        response.set_cookie(
            CONSOLE_COOKIE,
            f"{facts}.{self._seal(operator, facts)}",
            max_age=CONSOLE_SESSION_S,
            path="/console",
            secure=True,
            httponly=True,
            samesite="Strict",
        )

    def end(self, response: web.Response) -> None:
        """Make the browser forget the session."""
        response.del_cookie(
            CONSOLE_COOKIE, path="/console", secure=True, httponly=True, samesite="Strict"
        )

    def operator(self, request: web.Request) -> str | None:
        """Return the operator whose session the browser has, or None."""
        cookie = request.cookies.get(CONSOLE_COOKIE, "")
        facts, _, seal = cookie.rpartition(".")
        operator, _, rest = facts.partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(operator, facts).encode()):
            return None
        return operator if self.clock() < int(rest.partition(".")[0]) else None

    def form_token(self, request: web.Request) -> str:
        """Return the token of the forms that are shown in this session."""
        return self._digest(request.cookies.get(CONSOLE_COOKIE, ""), _FORM)

    def is_own_form(self, request: web.Request, token: str) -> bool:
        """Return whether a page of this session made a form with `token`."""
        return hmac.compare_digest(self.form_token(request).encode(), token.encode())

    def _seal(self, operator: str, facts: str) -> str:
        """Seal what a cookie says. No cookie has the seal of a token that is not in the file."""
        token = self.tokens.digest_of(operator) or secrets.token_bytes(32)
        return self._digest(f"{facts}.{token.hex()}", _SEAL)

    def _digest(self, text: str, person: bytes) -> str:
        data = text.encode("utf-8", "replace")
        return hashlib.blake2b(data, key=self.key(), digest_size=32, person=person).hexdigest()
