"""The newest security events."""

import re
from dataclasses import dataclass

from aiohttp import web

from deviceflow.admin.api.messages import AuditEvents
from deviceflow.admin.api.problems import ApiError
from deviceflow.admin.api.requests import api_response
from deviceflow.audit.reading import AuditReader

MOST_EVENTS = 200
USUAL_EVENTS = 50

_NUMBER = re.compile(r"[1-9][0-9]{0,2}")


@dataclass(frozen=True, kw_only=True)
class AuditEndpoint:
    """The endpoint `/audit`."""

    reader: AuditReader

    def routes(self) -> list[web.RouteDef]:
        """List the route."""
        return [web.get("/audit", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """Answer with the newest events."""
        text = request.query.get("limit", str(USUAL_EVENTS))
        if not _NUMBER.fullmatch(text) or int(text) > MOST_EVENTS:
            raise ApiError("invalid_request", f"`limit` is a number from 1 to {MOST_EVENTS}.")
        recent = await self.reader.newest(int(text))
        return api_response(AuditEvents(events=recent.events, source=recent.source))
