"""The newest security events."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.admin.api.messages import AuditEvents
from deviceflow.admin.api.requests import api_response, read_limit
from deviceflow.audit.reading import AuditReader

MOST_EVENTS = 200
USUAL_EVENTS = 50


@dataclass(frozen=True, kw_only=True)
class AuditEndpoint:
    """The endpoint `/audit`."""

    reader: AuditReader

    def routes(self) -> list[web.RouteDef]:
        """List the route."""
        return [web.get("/audit", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """Answer with the newest events."""
        limit = read_limit(request, usual=USUAL_EVENTS, most=MOST_EVENTS)
        recent = await self.reader.newest(limit)
        return api_response(AuditEvents(events=recent.events, source=recent.source))
