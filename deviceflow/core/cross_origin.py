"""What browsers may show a page of another origin (CORS; WHATWG Fetch, "HTTP-CORS protocol").

The answers never allow credentials: no endpoint for machines reads a cookie, and a page that can
name its client can do no more here than a program that does the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass

ANY = "*"

EXPOSED = "DPoP-Nonce, Preference-Applied, Retry-After, WWW-Authenticate"
"""The headers of answers that a client library reads, beside those that every page may read."""

ALLOWED = "Authorization, Content-Type, DPoP, Prefer"
"""The headers of requests that a browser asks about first."""

PREFLIGHT_KEPT_S = 7200
"""How long a browser may remember that a request is allowed. Chromium remembers no longer."""


@dataclass(frozen=True)
class CrossOrigin:
    """The origins whose pages may read answers: all of them (`*`), a few, or none."""

    origins: tuple[str, ...]

    @property
    def depends_on_origin(self) -> bool:
        """Whether different origins get different answers."""
        return bool(self.origins) and ANY not in self.origins

    def headers(self, origin: str | None = None) -> dict[str, str]:
        """Return the headers of every answer to `origin` (None: the request names none).

        With `*` they do not depend on the request, so that caches and the lane need not look.
        """
        if not self.origins:
            return {}
        if not self.depends_on_origin:
            return _readable(ANY)
        # Fetch, "CORS protocol and HTTP caches": also where the request has no origin.
        vary = {"Vary": "Origin"}
        return _readable(origin) | vary if origin in self.origins else vary

    def preflight(self, origin: str, methods: Iterable[str]) -> dict[str, str] | None:
        """Return the headers that allow a request of `origin`, or None if it is not allowed."""
        readable = self.headers(origin)
        if "Access-Control-Allow-Origin" not in readable:
            return None
        return {
            "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
            "Access-Control-Allow-Headers": ALLOWED,
            "Access-Control-Max-Age": str(PREFLIGHT_KEPT_S),
        }


def _readable(origin: str | None) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin or "",
        "Access-Control-Expose-Headers": EXPOSED,
    }
