"""The newest security events in the console."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from deviceflow.admin.console.frame import Frame
from deviceflow.audit.reading import AuditReader, Members

EVENTS_ON_A_PAGE = 100

_WHO = ("sub", "by", "tried_name")
_ABOUT = (
    *("client_id", "grant", "grant_id", "subject", "limit", "of", "sink"),
    *("way", "reason", "number", "left_out", "lost"),
)


class EventRow(NamedTuple):
    """An event in words. `who`: the account, the operator, or a hash of the name that was tried."""

    time: str
    event: str
    is_failure: bool
    who: str
    address: str
    about: str


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """The page of events."""

    frame: Frame
    reader: AuditReader

    def routes(self) -> list[web.RouteDef]:
        """List the route."""
        return [web.get("/audit", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """Show the newest ones."""
        recent = await self.reader.newest(EVENTS_ON_A_PAGE)
        context = {"rows": [_row(each) for each in recent.events], "source": recent.source}
        return self.frame.show(request, "audit.html", context)


def _row(members: Members) -> EventRow:
    return EventRow(
        time=str(members["time"]),
        event=str(members["event"]),
        is_failure=members.get("outcome") == "failure",
        who=_joined(members, _WHO),
        address=str(members.get("address", "")),
        about=_joined(members, _ABOUT),
    )


def _joined(members: Members, names: Iterable[str]) -> str:
    return ", ".join(str(members[name]) for name in names if name in members)
