"""Grants: found by their user codes, shown, approved, denied and cancelled."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.admin.api.messages import (
    Approval,
    ApproveRequest,
    ClientSummary,
    DecisionList,
    DecisionResponse,
    DenyRequest,
    FindRequest,
    GrantResponse,
)
from deviceflow.admin.api.problems import ApiError
from deviceflow.admin.api.requests import api_response, read_body
from deviceflow.admin.grants import GrantDesk
from deviceflow.admin.operators import OPERATOR
from deviceflow.config.reading import is_valid
from deviceflow.core.claims import Subject
from deviceflow.core.client_values import DisplayName
from deviceflow.core.grant import State
from deviceflow.store.grant_records import Grant

EXPIRED = "expired"

DECISIONS_READ = 50
"""How many entries of the decision log are read. A grant has one for each decision."""

GRANT_ROUTE = "/grants/{id:[0-9a-f]{16}}"
_WAITING = {State.PENDING, State.APPROVED}


@dataclass(frozen=True, kw_only=True)
class GrantEndpoints:
    """The endpoints below `/grants`."""

    desk: GrantDesk

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/decisions", self.recent),
            web.post("/grants/find", self.find),
            web.get(GRANT_ROUTE, self.show),
            web.post(f"{GRANT_ROUTE}/approve", self.approve),
            web.post(f"{GRANT_ROUTE}/deny", self.deny),
            web.post(f"{GRANT_ROUTE}/cancel", self.cancel),
        ]

    async def find(self, request: web.Request) -> web.Response:
        """Answer with the grant of a user code. It is in the body: addresses are logged."""
        body = await read_body(request, FindRequest)
        return self._answer(await self.desk.find(body.user_code))

    async def recent(self, _: web.Request) -> web.Response:
        """Answer with the newest decisions."""
        return api_response(DecisionList(decisions=await recent_decisions(self.desk)))

    async def show(self, request: web.Request) -> web.Response:
        """Answer with a grant."""
        return self._answer(await self.desk.get(grant_id_of(request)))

    async def approve(self, request: web.Request) -> web.Response:
        """Approve for the person in the body."""
        grant_id, body = grant_id_of(request), await read_body(request, ApproveRequest)
        for member in ("username", "name"):
            if not is_valid(DisplayName | None, getattr(body, member)):
                raise ApiError("invalid_request", f"`{member}` has characters that mislead people.")
        subject = Subject(
            sub=body.sub,
            username=body.username,
            name=body.name,
            email=body.email,
            amr=body.amr,
            acr=body.acr,
            auth_time=int(self.desk.clock()) if body.auth_time is None else body.auth_time,
        )
        grant = await self.desk.approve(
            grant_id, subject, body.scope, request[OPERATOR], body.locale
        )
        return self._answer(grant)

    async def deny(self, request: web.Request) -> web.Response:
        """Deny for the person in the body."""
        grant_id, body = grant_id_of(request), await read_body(request, DenyRequest)
        return self._answer(await self.desk.deny(grant_id, body.sub, request[OPERATOR]))

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel. No body is needed."""
        return self._answer(await self.desk.cancel(grant_id_of(request), request[OPERATOR]))

    def _answer(self, grant: Grant) -> web.Response:
        return api_response(grant_response(grant, self.desk))


async def recent_decisions(desk: GrantDesk) -> list[DecisionResponse]:
    """Describe the newest decisions."""
    return [
        DecisionResponse(at=int(each.at), grant=grant_response(each.grant, desk))
        for each in await desk.recent(DECISIONS_READ)
    ]


def grant_response(grant: Grant, desk: GrantDesk) -> GrantResponse:
    """Describe a grant without its codes."""
    client, approval = desk.clients.find(grant.client_id), grant.approval
    return GrantResponse(
        id=f"{grant.id:016x}",
        log_id=desk.grants.log_id(grant.id),
        state=state_of(grant, desk.clock()),
        client=ClientSummary(
            client_id=grant.client_id,
            name=client.name if client else grant.client_id,
            verified=client.verified if client else False,
        ),
        scope=grant.scope,
        requested_at=grant.requested_at,
        expires_at=grant.expires_at,
        address=grant.address,
        device=grant.device,
        claimed_by=grant.claimed_by,
        approval=Approval(
            sub=approval.sub,
            username=approval.username,
            approved_at=None if grant.approved_at is None else int(grant.approved_at),
        )
        if approval
        else None,
    )


def state_of(grant: Grant, now: float) -> str:
    """Return the state of a grant, or EXPIRED for one whose device no longer waits."""
    return EXPIRED if now >= grant.expires_at and grant.state in _WAITING else grant.state


def grant_id_of(request: web.Request) -> int:
    """Return the id of the grant in the address of a request below GRANT_ROUTE."""
    return int(request.match_info["id"], 16)
