"""Whether a POST was made by this server's own page, for this browser (RFC 6749 10.12)."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from deviceflow.core.origin import origin_of
from deviceflow.pages.errors import Button, PageError
from deviceflow.pages.texts import gettext, isolated

_PERSON = b"deviceflow-csrf"


@dataclass(frozen=True, kw_only=True)
class Csrf:
    """Two checks that do not depend on each other: a token bound to the cookie, and the origin.

    `keys` returns keys of 16 to 64 secret bytes, the same in all workers. The first one makes
    tokens, and a token of any of them is good. They change when an operator changes them, and when
    the store has lost its data. `issuer`: only forms of its origin count.
    """

    keys: Callable[[], Sequence[bytes]]
    issuer: str

    def token(self, cookie: str) -> str:
        """Make the token of the forms that are shown to the bearer of `cookie`."""
        return _token(self.keys()[0], cookie)

    def check_origin(self, request: web.Request) -> None:
        """Raise `PageError` 403 if a page of another origin made the request."""
        if not self._is_same_origin(request):
            raise _foreign_form(f"{self.issuer}/device")

    def is_token_of(self, cookie: str, token: str) -> bool:
        """Say whether `token` is that of the bearer of `cookie`."""
        sent = token.encode()
        return any(hmac.compare_digest(_token(key, cookie).encode(), sent) for key in self.keys())

    def _is_same_origin(self, request: web.Request) -> bool:
        """Judge by what the browser says of the request's source; both headers may be missing."""
        own = origin_of(self.issuer)
        sent = request.headers.get("Origin", own)
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        return sent == own and site in {"same-origin", "none"}


def _token(key: bytes, cookie: str) -> str:
    return hashlib.blake2b(cookie.encode(), key=key, digest_size=32, person=_PERSON).hexdigest()


def _foreign_form(start: str) -> PageError:
    return PageError(
        403,
        title=gettext("error.foreign_form.title"),
        happened=gettext("error.foreign_form.happened"),
        next_step=gettext("error.foreign_form.next_step", start=isolated(start)),
        button=Button(start, gettext("button.start_there")),
    )
