"""Whether a POST was made by our own page, for this browser (RFC 6749 10.12)."""

import hashlib
import hmac
from collections.abc import Callable

from aiohttp import web

from deviceflow.core.origin import origin_of
from deviceflow.pages.errors import PageError

_PERSON = b"deviceflow-csrf"


class Csrf:
    """Two checks that do not depend on each other: a token bound to the cookie, and the origin.

    `key` gives 16 to 64 secret bytes, the same in all workers (they change when the store has
    lost its data). `issuer`: the only origin whose
    forms count.
    """

    def __init__(self, key: Callable[[], bytes], issuer: str) -> None:
        self._key = key
        self._origin = origin_of(issuer)
        self._start = f"{issuer}/device"

    def token(self, cookie: str) -> str:
        """Make the token of the forms that are shown to the bearer of `cookie`."""
        digest = hashlib.blake2b(cookie.encode(), key=self._key(), digest_size=32, person=_PERSON)
        return digest.hexdigest()

    def check(self, request: web.Request, cookie: str | None, token: str) -> None:
        """Raise `PageError` 403 unless the request was made by a form of ours."""
        if not self._is_same_origin(request):
            raise PageError(
                403,
                "This form came from somewhere else",
                "The form was sent by another site, or by an address that is not this server's. "
                "Nothing was changed.",
                f"Open {self._start} yourself and start there.",
            )
        if cookie is None:
            raise PageError(
                403,
                "Your browser sent no cookie",
                "Without a cookie this server cannot tell that the form is yours. "
                "Nothing was changed.",
                "Allow cookies for this site, then start again.",
            )
        if not hmac.compare_digest(self.token(cookie).encode(), token.encode()):
            raise PageError(
                403,
                "This page is out of date",
                "You signed in or out in the meantime, or the page had been open for long, so "
                "its form no longer counts. Nothing was changed.",
                "Open the page anew and repeat what you did.",
            )

    def _is_same_origin(self, request: web.Request) -> bool:
        """Judge by what the browser says of the request's source; both headers may be missing."""
        sent = request.headers.get("Origin", self._origin)
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        return sent == self._origin and site in {"same-origin", "none"}
