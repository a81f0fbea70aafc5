"""The short address that devices show: it leads to the page for a code (RFC 8628 3.2, 3.3).

It may have a host of its own, whose proxy leads here. Its path is not below the issuer's, and a
person types it from a screen: in capital letters, or with a slash too many.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlencode, urlsplit

from aiohttp import web

from deviceflow.config import Settings
from deviceflow.pages.codes import Codes
from deviceflow.pages.headers import security_headers
from deviceflow.pages.render import is_https


@dataclass(frozen=True, kw_only=True)
class ShortAddressPage:
    """GET of the path of `device.verification_uri`, at whatever host it arrives."""

    settings: Settings
    codes: Codes

    def routes(self) -> list[web.RouteDef]:
        """List the routes: none without a short address. Place them after all others."""
        address = self.settings.device.verification_uri
        if address is None:
            return []
        parts = [re.escape(part) for part in unquote(urlsplit(address).path).split("/") if part]
        return [web.get(f"/{{short:(?i:/*{'/+'.join(parts)}/*)}}", self.lead)]

    async def lead(self, request: web.Request) -> web.Response:
        """Continue at the issuer, where forms count, with the code and nothing else."""
        code = self.codes.carry(request.query.get("user_code", ""))
        query = f"?{urlencode({'user_code': code})}" if code else ""
        headers = security_headers(https=is_https(self.settings))
        headers["Location"] = f"{self.settings.code_page}{query}"
        return web.Response(status=302, headers=headers)
