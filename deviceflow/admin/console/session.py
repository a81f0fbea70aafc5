"""The sessions of operators in the console: cookies that this server has sealed.

A cookie says until when it is good, and which token began it; a seal keeps both from being made up.
The seal needs the token itself, and a key of the installation: neither alone makes one.
There is no record of it in the store, so the console works while the store is away. A token that
is taken out of the file ends its sessions.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
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
    """Begins sessions and recognises them. `keys`: as those of `Csrf`.

    The cookie is sent to this site only (SameSite=Strict), over TLS or to loopback only (Secure),
    and no script can read it (HttpOnly).
    """

    tokens: AdminTokens
    keys: Callable[[], Sequence[bytes]]
    clock: Clock

    def begin(self, response: web.Response, operator: str) -> None:
        """Give the browser a session of an operator, whose token was right."""
        ends_at = int(self.clock()) + CONSOLE_SESSION_S
        facts = f"{operator}.{ends_at}.{secrets.token_urlsafe(16)}"
        response.set_cookie(
            CONSOLE_COOKIE,
            f"{facts}.{self._seals(operator, facts)[0]}",
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
        if not _is_among(seal, self._seals(operator, facts)):
            return None
        return operator if self.clock() < int(rest.partition(".")[0]) else None

    def form_token(self, request: web.Request) -> str:
        """Return the token of the forms that are shown in this session."""
        return self._form_tokens(request)[0]

    def is_own_form(self, request: web.Request, token: str) -> bool:
        """Return whether a page of this session made a form with `token`."""
        return _is_among(token, self._form_tokens(request))

    def _form_tokens(self, request: web.Request) -> list[str]:
        return self._digests(request.cookies.get(CONSOLE_COOKIE, ""), _FORM)

    def _seals(self, operator: str, facts: str) -> list[str]:
        """Seal what a cookie says. No cookie has the seal of a token that is not in the file."""
        token = self.tokens.digest_of(operator) or secrets.token_bytes(32)
        return self._digests(f"{facts}.{token.hex()}", _SEAL)

    def _digests(self, text: str, person: bytes) -> list[str]:
        data = text.encode("utf-8", "replace")
        return [
            hashlib.blake2b(data, key=key, digest_size=32, person=person).hexdigest()
            for key in self.keys()
        ]


def _is_among(sent: str, digests: Sequence[str]) -> bool:
    # A cookie may have bytes that are not UTF-8.
    data = sent.encode("utf-8", "replace")
    return any(hmac.compare_digest(data, digest.encode()) for digest in digests)
