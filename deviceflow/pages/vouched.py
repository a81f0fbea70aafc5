"""Whom an authenticating proxy vouches for: a user name in a header.

The header is believed only if the settings name it, only from a trusted proxy, and only if there is
one of it (RFC 9700 4.13). From anybody else it means nothing.
"""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.callers import Callers
from deviceflow.core.display_text import is_display_text
from deviceflow.core.precis import prepare_username


@dataclass(frozen=True, kw_only=True)
class VouchedNames:
    """Reads the header. `header`: its name, None if no proxy vouches."""

    header: str | None
    callers: Callers

    def name(self, request: web.Request) -> str:
        """Return the name, prepared (RFC 8265); empty if nothing is believed."""
        if not self.header or not self.callers.is_by_proxy(request):
            return ""
        lines = request.headers.getall(self.header, [])
        name = prepare_username(lines[0]) if len(lines) == 1 else None
        return name if name and is_display_text(name) else ""

    def contradicts(self, request: web.Request, username: str) -> bool:
        """Say whether the proxy vouches for another person than `username` by now."""
        name = self.name(request)
        return bool(name) and name != (prepare_username(username) or username)
