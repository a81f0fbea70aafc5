"""The composition root: what is wired to what, and the whole route table."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, cast

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from deviceflow import pages
from deviceflow.config import Settings
from deviceflow.core.client import Clients
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.core.signing_key import signing
from deviceflow.oauth.answers import SERVER, answer_exception
from deviceflow.oauth.device_authorization import DeviceAuthorizationEndpoint
from deviceflow.oauth.device_code_grant import DeviceCodeGrant
from deviceflow.oauth.held import HeldPolls
from deviceflow.oauth.introspection import IntrospectionEndpoint
from deviceflow.oauth.issuing import Issuer
from deviceflow.oauth.lane import Lane
from deviceflow.oauth.metadata import published_keys, published_metadata
from deviceflow.oauth.openapi import published_openapi
from deviceflow.oauth.presented import PresentedTokens
from deviceflow.oauth.refresh_token_grant import RefreshTokenGrant
from deviceflow.oauth.registration import RegistrationEndpoint
from deviceflow.oauth.revocation import RevocationEndpoint
from deviceflow.oauth.token import TokenEndpoint
from deviceflow.oauth.userinfo import UserinfoEndpoint
from deviceflow.ops.health import Health
from deviceflow.pages.demo import DemoPages
from deviceflow.pages.device import DevicePages
from deviceflow.pages.errors import answer_error
from deviceflow.pages.headers import security_headers
from deviceflow.pages.login import LoginPages
from deviceflow.parts import Parts, Prepared, open_signing_keys
from deviceflow.signing import new_key
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection, Durability
from deviceflow.store.keys import Installation
from deviceflow.store.survey import survey

log = structlog.get_logger()

MACHINE_PATHS = ("/oauth2/", "/.well-known/")


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
        await _warn_without_clients(settings, connection)
        stored = open_signing_keys(settings, connection)
        signing_keys = await stored.read()
        algorithm = settings.tokens.algorithm
        if signing(signing_keys, algorithm) is None:
            signing_keys = await stored.add_first(new_key(algorithm, int(time.time())))
        return Prepared(installation, signing_keys)
    finally:
        await connection.close()


async def _warn_without_clients(settings: Settings, connection: Connection) -> None:
    known = Clients(settings.clients)
    known.adopt(await StoredClients(connection).all())
    if not settings.registration.enabled and not any(client.enabled for client in known):
        log.warning(
            "clients.none_enabled",
            consequence="no device can ask for a code",
            remedy="deviceflow clients add, or [[clients]] in the file",
        )


def wire(
    settings: Settings,
    connection: Connection,
    prepared: Prepared,
    pace_memory: memoryview,
    demo: Demo | None = None,
    clock: Callable[[], float] = time.time,
) -> Wired:
    """Build the applications of one worker. `clock` gives s since the epoch."""
    parts = Parts(settings, connection, prepared, pace_memory, clock)
    public = web.Application(
        middlewares=[answer_errors], client_max_size=settings.server.max_body_bytes
    )
    pages.setup(public, settings, templates_dir())
    demo_routes = DemoPages(settings, *demo).routes() if demo else []
    public.add_routes([*machine_routes(parts), *_below(settings, page_routes(parts) + demo_routes)])
    public.add_routes(root_routes(settings))
    public.cleanup_ctx.append(parts.live)
    public.on_response_prepare.append(name_server)
    admin = web.Application()
    admin.add_routes(Health(lambda: parts.mirror.reachable).routes())
    admin.add_routes([web.get("/openapi.json", published_openapi(settings).handle)])
    return Wired(public, admin, parts.lane, parts.held)


def machine_routes(parts: Parts) -> list[web.RouteDef]:
    """What machines call."""
    settings, clock = parts.settings, parts.clock
    issuer = Issuer(
        settings,
        signer=parts.signer,
        tokens=parts.tokens,
        access_tokens=parts.access_tokens,
        clock=clock,
    )
    presented = PresentedTokens(
        settings,
        signer=parts.signer,
        access_tokens=parts.access_tokens,
        users=parts.users,
        clients=parts.clients,
        clock=clock,
    )
    device_authorization = DeviceAuthorizationEndpoint(
        settings,
        authentication=parts.authentication,
        proofs=parts.proofs,
        grants=parts.grants,
        callers=parts.callers,
        clock=clock,
    )
    device_code = DeviceCodeGrant(
        polls=parts.polls,
        held=parts.held,
        mirror=parts.mirror,
        grants=parts.grants,
        clients=parts.clients,
        users=parts.users,
        issuer=issuer,
        proofs=parts.proofs,
        clock=clock,
    )
    refresh_token = RefreshTokenGrant(
        tokens=parts.tokens,
        access_tokens=parts.access_tokens,
        users=parts.users,
        issuer=issuer,
        proofs=parts.proofs,
    )
    grant_types = {DEVICE_CODE_GRANT: device_code.handle, "refresh_token": refresh_token.handle}
    token = TokenEndpoint(parts.authentication, parts.proofs, grant_types)
    revocation = RevocationEndpoint(
        authentication=parts.authentication, presented=presented, tokens=parts.tokens
    )
    introspection = IntrospectionEndpoint(
        settings,
        authentication=parts.authentication,
        presented=presented,
        tokens=parts.tokens,
        access_tokens=parts.access_tokens,
        users=parts.users,
        signer=parts.signer,
        clock=clock,
    )
    userinfo = UserinfoEndpoint(presented, parts.proofs)
    metadata = published_metadata(settings, parts.clients)
    below = _below(
        settings,
        [
            web.post("/oauth2/device_authorization", device_authorization.handle),
            web.post("/oauth2/token", token.handle),
            web.post("/oauth2/revoke", revocation.handle),
            web.post("/oauth2/introspect", introspection.handle),
            web.get("/oauth2/userinfo", userinfo.handle),
            web.post("/oauth2/userinfo", userinfo.handle),
            web.get("/oauth2/jwks", published_keys(parts.signer).handle),
            # OpenID Connect Discovery 4 appends the well-known path to the issuer's ...
            web.get("/.well-known/openid-configuration", metadata.handle),
            *_registration_routes(parts),
        ],
    )
    # ... RFC 8414 3 inserts it before.
    inserted = f"/.well-known/oauth-authorization-server{settings.base_path}"
    return [*below, web.get(inserted, metadata.handle)]


def _registration_routes(parts: Parts) -> list[web.RouteDef]:
    if not parts.settings.registration.enabled:
        return []
    registration = RegistrationEndpoint(parts.settings, parts.stored_clients, parts.refusals)
    one = "/oauth2/register/{client_id}"
    return [
        web.post("/oauth2/register", registration.register),
        web.get(one, registration.show),
        web.put(one, registration.update),
        web.delete(one, registration.delete),
    ]


def page_routes(parts: Parts) -> list[web.RouteDef]:
    """What people open."""
    csrf_key = parts.installation.csrf_key
    login = LoginPages(
        parts.settings,
        clients=parts.clients,
        users=parts.users,
        sessions=parts.sessions,
        limits=parts.limits,
        csrf_key=csrf_key,
    )
    device = DevicePages(
        parts.settings,
        clients=parts.clients,
        grants=parts.grants,
        users=parts.users,
        sessions=parts.sessions,
        limits=parts.limits,
        csrf_key=csrf_key,
    )
    return [*login.routes(), *device.routes()]


def root_routes(settings: Settings) -> list[web.RouteDef]:
    """Who types the host alone, from a television's screen, means the page for a code."""
    base = settings.base_path
    headers = security_headers(https=settings.issuer_url.startswith("https://"))
    headers["Location"] = f"{base}/device"

    async def lead_on(_: web.Request) -> web.Response:
        return web.Response(status=302, headers=headers)

    return [web.get(path, lead_on) for path in sorted({"/", base or "/", f"{base}/"})]


def _below(settings: Settings, routes: list[web.RouteDef]) -> list[web.RouteDef]:
    """The routes below the issuer's path."""
    base = settings.base_path
    return [
        web.RouteDef(route.method, base + route.path, route.handler, route.kwargs)
        for route in routes
    ]


async def name_server(_: web.Request, response: web.StreamResponse) -> None:
    """Say who answers, but not in which version."""
    response.headers["Server"] = SERVER


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Machines get JSON, people get pages; nobody gets a bare error."""
    try:
        return await handler(request)
    except ConnectionError:
        # The client has gone, and nobody is left to answer.
        raise
    except Exception as error:  # noqa: BLE001, the last door: it is logged and answered
        return await _answer(request, error)


Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def answering_expectations(handle: Handle) -> Handle:
    """`handle`, but a refused `Expect` (RFC 9110 10.1.1) gets an answer of ours too.

    aiohttp looks at that header before any middleware, for paths that are not there as well, and
    would repeat what it said.
    """

    async def answer_all(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handle(request)
        except web.HTTPExpectationFailed as error:
            # An application makes no other requests.
            return await _answer(cast("web.Request", request), error)

    return answer_all


async def _answer(request: web.Request, error: Exception) -> web.StreamResponse:
    if any(part in request.path for part in MACHINE_PATHS):
        return answer_exception(error)
    return await answer_error(request, error)


def templates_dir() -> Path:
    """Inside the wheel beside this file, in a checkout beside the package."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"
