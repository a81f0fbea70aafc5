"""The API and the console of one worker, wired."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from deviceflow.admin.api.audit import AuditEndpoint
from deviceflow.admin.api.clients import ClientEndpoints
from deviceflow.admin.api.document import published_document
from deviceflow.admin.api.fleet import FleetEndpoint
from deviceflow.admin.api.grants import GrantEndpoints
from deviceflow.admin.api.people import PeopleEndpoints
from deviceflow.admin.api.problems import ApiError
from deviceflow.admin.api.requests import BearerTokens, answer_problems
from deviceflow.admin.clients import ClientDesk
from deviceflow.admin.console.audit import AuditPage
from deviceflow.admin.console.clients import ClientPages
from deviceflow.admin.console.frame import Frame, lead_to
from deviceflow.admin.console.grants import GrantPages
from deviceflow.admin.console.overview import Overview
from deviceflow.admin.console.people import PeoplePages
from deviceflow.admin.console.session import ConsoleSessions
from deviceflow.admin.console.sign_in import ConsoleSignIn
from deviceflow.admin.console.templates import ROOT, console_templates, switched_off
from deviceflow.admin.fleet_watch import FleetWatch
from deviceflow.admin.grants import GrantDesk
from deviceflow.admin.people import PeopleDesk
from deviceflow.admin.tokens import AdminTokens
from deviceflow.audit.opening import audit_file
from deviceflow.audit.reading import AuditReader
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.parts import Parts
from deviceflow.store.admitted_people import AdmittedPeople

API = "/api/v1"

MAX_BODY_BYTES = 16_384


@dataclass(frozen=True, kw_only=True)
class AdminParts:
    """What the API and the console share. `tokens`: None if both are off.

    `read_code` lists the user codes that a typed text may stand for.
    """

    parts: Parts
    tokens: AdminTokens | None
    read_code: Callable[[str], list[str]]
    fleet: FleetWatch

    def desk(self) -> GrantDesk:
        """Make the desk at which grants are found and decided."""
        parts = self.parts
        return GrantDesk(
            grants=parts.grants,
            people=AdmittedPeople(parts.connection, parts.users),
            clients=parts.clients,
            read_code=self.read_code,
            recorder=parts.recorder,
            clock=parts.clock,
            audit=parts.audit,
            enabled_by_default=parts.settings.device.enabled_by_default,
        )

    def events(self) -> AuditReader:
        """Make what reads the newest security events."""
        return AuditReader(path=audit_file(self.parts.settings), audit=self.parts.audit)

    def client_desk(self) -> ClientDesk:
        """Make the desk at which the grants of whole clients are ended."""
        parts = self.parts
        return ClientDesk(
            revocations=parts.client_revocations,
            cancellations=parts.client_cancellations,
            audit=parts.audit,
        )

    def people(self) -> PeopleDesk:
        """Make the desk at which the access of people is ended."""
        parts = self.parts
        return PeopleDesk(
            users=parts.users,
            devices=parts.devices,
            sessions=parts.sessions,
            access=parts.person_access,
            audit=parts.audit,
        )


def add_admin(app: web.Application, shared: AdminParts) -> None:
    """Give the application of the admin port the API and the console."""
    app.add_subapp(API, _api(shared))
    app.add_subapp(ROOT, _console(shared))
    app.router.add_get("/", _lead_to_console)


def _api(shared: AdminParts) -> web.Application:
    if shared.tokens is None:
        return web.Application(middlewares=[answer_problems, _refuse])
    refusals = ThinnedLog(("(others)",), shared.parts.clock)
    document = published_document(API)
    bearers = BearerTokens(
        tokens=shared.tokens,
        open_path=f"{API}{document.path}",
        refusals=refusals,
        audit=shared.parts.audit,
    )
    app = web.Application(middlewares=[answer_problems, bearers.middleware()])
    app.add_routes(document.routes())
    endpoints = (
        GrantEndpoints(desk=shared.desk()),
        FleetEndpoint(watch=shared.fleet),
        ClientEndpoints(clients=shared.parts.clients, desk=shared.client_desk()),
        PeopleEndpoints(desk=shared.people()),
        AuditEndpoint(reader=shared.events()),
    )
    app.add_routes(route for endpoint in endpoints for route in endpoint.routes())
    return app


async def _lead_to_console(_: web.Request) -> web.Response:
    return lead_to(ROOT)


def _console(shared: AdminParts) -> web.Application:
    parts, tokens = shared.parts, shared.tokens
    templates = console_templates()
    if tokens is None:
        return switched_off(templates)
    sessions = ConsoleSessions(
        tokens=tokens, keys=parts.installation.challenge_keys, clock=parts.clock
    )
    hosts = {parts.settings.server.admin_host.lower(), *parts.settings.admin.hosts}
    frame = Frame(sessions=sessions, templates=templates, hosts=hosts)
    desk, people = shared.desk(), shared.people()
    pages = (
        ConsoleSignIn(frame=frame, tokens=tokens, audit=parts.audit),
        Overview(frame=frame, watch=shared.fleet, desk=desk, people=people),
        GrantPages(frame=frame, desk=desk),
        ClientPages(frame=frame, clients=parts.clients, desk=shared.client_desk()),
        PeoplePages(frame=frame, desk=people),
        AuditPage(frame=frame, reader=shared.events()),
    )
    app = web.Application(middlewares=[frame.middleware()])
    app.add_routes(route for page in pages for route in page.routes())
    app.router.add_get("/static/{name}", templates.static.get)
    return app


@web.middleware
async def _refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say of every address how to turn the API on."""
    del request, handler
    raise ApiError("api_off")
