"""The composition root: builds the two applications of a worker, public and admin."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.admin.fleet_watch import FleetWatch
from deviceflow.admin.routes import MAX_BODY_BYTES, AdminParts, add_admin
from deviceflow.admin.tokens import AdminTokens
from deviceflow.config import Settings
from deviceflow.core.clock import Clock, SteadyClock
from deviceflow.middleware import MACHINE_PATHS, answer_errors, name_server, noting_requests
from deviceflow.oauth.cors import cors
from deviceflow.oauth.openapi.document import published_openapi
from deviceflow.oauth.poll.verdict import is_answer_of_lane
from deviceflow.oauth.routes import Polling, Starting, machine_routes, polling, starting
from deviceflow.ops.health import Health
from deviceflow.ops.metrics.page import MetricsPage
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.metrics.responses import counting_responses
from deviceflow.ops.request_id import request_ids
from deviceflow.ops.status_board import StatusBoard
from deviceflow.pages.account.notice_sending import sending_notices
from deviceflow.pages.codes import Codes
from deviceflow.pages.demo import Demo
from deviceflow.pages.languages import answering_in_language
from deviceflow.pages.render import setup
from deviceflow.pages.routes import add_pages
from deviceflow.parts import Parts, Secrets, open_parts
from deviceflow.sampling import Connections, sampler
from deviceflow.store.connection import Connection


@dataclass(frozen=True, kw_only=True)
class Apps:
    """The applications of a worker, and the parts that they are built from.

    `connections`: the worker says here how many it has open.
    """

    public: web.Application
    admin: web.Application
    polls: Polling
    starts: Starting
    parts: Parts
    connections: Connections


def build(
    settings: Settings,
    connection: Connection,
    secrets: Secrets,
    pace_memory: memoryview,
    *,
    clock: Clock,
    steady: SteadyClock,
    demo: Demo | None = None,
    recorder: Recorder | None = None,
    board: StatusBoard | None = None,
    admin_tokens: AdminTokens | None = None,
) -> Apps:
    """Build the applications of a worker.

    `recorder` and `board`: what the workers of the host count and say; None without a supervisor.
    `admin_tokens`: those of operators; None turns their API and console off.
    """
    recorder = recorder or Recorder.alone()
    parts = open_parts(settings, connection, secrets, pace_memory, clock, steady, recorder)
    polls, starts = polling(parts), starting(parts)
    connections = Connections()
    public = _public(parts, polls, starts, demo)
    public.cleanup_ctx.append(sampler(parts, polls, connections).live)
    public.cleanup_ctx.append(sending_notices(parts))
    admin = _admin(parts, board, admin_tokens)
    return Apps(
        public=public,
        admin=admin,
        polls=polls,
        starts=starts,
        parts=parts,
        connections=connections,
    )


def _public(parts: Parts, polls: Polling, starts: Starting, demo: Demo | None) -> web.Application:
    """Build the application that devices and people reach."""
    settings = parts.settings
    cross_origin = cors(settings)
    app = web.Application(
        middlewares=[
            request_ids(parts.callers.is_by_proxy, is_answer_of_lane),
            noting_requests(parts.callers),
            answering_in_language(MACHINE_PATHS),
            answer_errors,
            cross_origin.middleware(),
        ],
        client_max_size=settings.server.max_body_bytes,
    )
    setup(app, settings)
    app.add_routes(machine_routes(parts, polls, starts.starts))
    add_pages(app, parts, demo)
    app.cleanup_ctx.append(parts.live)
    app.on_response_prepare.append(name_server)
    app.on_response_prepare.append(counting_responses(parts.recorder, MACHINE_PATHS))
    app.on_response_prepare.append(cross_origin.add_headers)
    return app


def _admin(parts: Parts, board: StatusBoard | None, tokens: AdminTokens | None) -> web.Application:
    """Build the application that only operators reach."""
    middlewares, feed = [noting_requests(parts.callers)], parts.feed
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
    health = Health(lambda: parts.store_state, lambda: feed.unreachable_cause, board)
    app.add_routes(health.routes())
    metrics = MetricsPage(parts.recorder)
    app.add_routes(metrics.routes())
    app.add_routes(published_openapi(parts.settings).routes())
    codes = Codes(parts.settings.device.user_code, parts.clients)
    fleet = FleetWatch(page=metrics, clock=parts.clock)
    add_admin(app, AdminParts(parts=parts, tokens=tokens, read_code=codes.read, fleet=fleet))
    return app
