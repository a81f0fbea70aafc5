"""The composition root: what is wired to what, and the whole route table."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from deviceflow import pages
from deviceflow.config import Settings
from deviceflow.core.client import Clients
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.core.pace import PaceTable
from deviceflow.oauth.answers import SERVER, answer_exception
from deviceflow.oauth.device_authorization import DeviceAuthorizationEndpoint
from deviceflow.oauth.device_code_grant import DeviceCodeGrant
from deviceflow.oauth.held import HeldPolls
from deviceflow.oauth.issuing import Issuer
from deviceflow.oauth.lane import Lane
from deviceflow.oauth.metadata import published_keys, published_metadata
from deviceflow.oauth.polls import Polls
from deviceflow.oauth.refresh_token_grant import RefreshTokenGrant
from deviceflow.oauth.token import TokenEndpoint
from deviceflow.ops.health import Health
from deviceflow.pages.demo import DemoPages
from deviceflow.pages.device import DevicePages
from deviceflow.pages.errors import answer_error
from deviceflow.pages.login import LoginPages
from deviceflow.signing import Signer, has_algorithm, new_key
from deviceflow.store import keys
from deviceflow.store.connection import Connection, Durability
from deviceflow.store.grants import Grants
from deviceflow.store.keys import Installation
from deviceflow.store.limits import Limits
from deviceflow.store.mirror import Mirror
from deviceflow.store.sessions import Sessions
from deviceflow.store.slots import Slots
from deviceflow.store.survey import survey
from deviceflow.store.tokens import Tokens
from deviceflow.store.users import Users

log = structlog.get_logger()

MACHINE_PATHS = ("/oauth2/", "/.well-known/")


class Prepared(NamedTuple):
    """What is read from the store once, before the workers start."""

    installation: Installation
    signing_keys: dict[str, bytes]


class Demo(NamedTuple):
    """The television of `deviceflow demo`, and who may approve it."""

    client_id: str
    username: str
    password: str


class Wired(NamedTuple):
    """What a worker serves: for everybody, for the operator; and what goes before aiohttp."""

    public: web.Application
    admin: web.Application
    lane: Lane
    held: HeldPolls


def connect(settings: Settings, redis_url: str) -> Connection:
    """A connection to the store, as durable as the settings ask."""
    redis = settings.redis
    replicas = redis.replicas if redis.durability == "replicated" else 0
    return Connection.open(redis_url, Durability(replicas, redis.replica_timeout_ms))


async def prepare(settings: Settings, redis_url: str) -> Prepared:
    """Read the secrets, or make them at the first start. Raises StoreUnavailable."""
    connection = connect(settings, redis_url)
    try:
        installation = await Installation.open(connection)
        for finding in await survey(connection):
            log.warning("store.finding", finding=finding)
        signing_keys = await keys.read_signing_keys(connection)
        algorithm = settings.tokens.algorithm
        if not has_algorithm(signing_keys, algorithm):
            signing_keys = await keys.add_signing_key(connection, algorithm, new_key(algorithm))
        return Prepared(installation, signing_keys)
    finally:
        await connection.close()


def wire(
    settings: Settings,
    connection: Connection,
    prepared: Prepared,
    pace_memory: memoryview,
    demo: Demo | None = None,
    clock: Callable[[], float] = time.time,
) -> Wired:
    """Build the applications of one worker. `clock` gives s since the epoch."""
    installation = prepared.installation
    clients = Clients(settings.clients)
    mirror = Mirror(connection, installation, clock)
    pace = PaceTable(pace_memory, settings.device.max_interval_s)
    grants = Grants(connection, installation, mirror, Slots(connection), clock)
    users = Users(connection, settings.users)
    tokens = Tokens(connection, settings.tokens.refresh_token_idle_s, clock)
    sessions = Sessions(connection, installation, settings.pages.session_lifetime_s)
    limits = Limits(connection, installation)
    signer = Signer(prepared.signing_keys, settings.tokens.algorithm)
    issuer = Issuer(settings, signer, tokens, clock)
    polls = Polls(installation, mirror, pace, clock)
    limit_s = settings.device.max_wait_s
    held = HeldPolls(mirror, clock, max_held=settings.device.max_held, max_wait=limit_s)
    lane = Lane(polls, settings.clients, clock, max_wait=limit_s)
    mirror.resolve = grants.state_of
    proxies = tuple(ip_network(network) for network in settings.server.trusted_proxies)

    device_authorization = DeviceAuthorizationEndpoint(settings, clients, grants, proxies, clock)
    token = TokenEndpoint(
        clients,
        {
            DEVICE_CODE_GRANT: DeviceCodeGrant(
                polls=polls,
                held=held,
                mirror=mirror,
                grants=grants,
                users=users,
                issuer=issuer,
                clock=clock,
            ),
            "refresh_token": RefreshTokenGrant(tokens, users, issuer),
        },
    )
    metadata = published_metadata(settings)
    login = LoginPages(
        settings, users=users, sessions=sessions, limits=limits, csrf_key=installation.csrf_key
    )
    device = DevicePages(
        settings,
        clients=clients,
        grants=grants,
        users=users,
        sessions=sessions,
        limits=limits,
        csrf_key=installation.csrf_key,
    )

    public = web.Application(
        middlewares=[answer_errors], client_max_size=settings.server.max_body_bytes
    )
    pages.setup(public, settings, templates_dir())
    public.add_routes(
        [
            web.post("/oauth2/device_authorization", device_authorization.__call__),
            web.post("/oauth2/token", token.__call__),
            web.get("/oauth2/jwks", published_keys(signer).__call__),
            web.get("/.well-known/oauth-authorization-server", metadata.__call__),
            web.get("/.well-known/openid-configuration", metadata.__call__),
            *login.routes(),
            *device.routes(),
            *(DemoPages(settings, *demo).routes() if demo else ()),
        ]
    )

    async def live(_: web.Application) -> AsyncIterator[None]:
        feeding = asyncio.create_task(mirror.run())
        yield
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding
        users.close()
        await connection.close()

    public.cleanup_ctx.append(live)
    public.on_response_prepare.append(name_server)
    admin = web.Application()
    admin.add_routes(Health(lambda: mirror.reachable).routes())
    return Wired(public, admin, lane, held)


async def name_server(_: web.Request, response: web.StreamResponse) -> None:
    """Say who answers, but not in which version."""
    response.headers["Server"] = SERVER


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Machines get JSON, people get pages; nobody gets a bare error."""
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001, the last door: it is logged and answered
        if request.path.startswith(MACHINE_PATHS):
            return answer_exception(error)
        return await answer_error(request, error)


def templates_dir() -> Path:
    """Inside the wheel beside this file, in a checkout beside the package."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"
