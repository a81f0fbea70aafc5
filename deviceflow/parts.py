"""What the rooms of one worker share: every object is made here, once."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from deviceflow.audit.journal import Audit
from deviceflow.callers import Callers
from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.core.clock import Clock, SteadyClock
from deviceflow.core.load_interval import IntervalBounds
from deviceflow.core.pace import PaceTable
from deviceflow.core.resources import Resources
from deviceflow.core.signing_key import SigningKey
from deviceflow.notices.outbox import Outboxes
from deviceflow.ops.busy import busy_s
from deviceflow.ops.health import REACHABLE
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.metrics.watches import PushWatch, StoreWatch, note_look
from deviceflow.places import Places, open_places
from deviceflow.policy.interval_control import IntervalControl
from deviceflow.reload import Reload, open_signing_keys
from deviceflow.signing.signer import Signer
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.client_cancellations import ClientCancellations
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.clients import StoredClients
from deviceflow.store.connection import Connection
from deviceflow.store.device_index import DeviceIndex
from deviceflow.store.devices import Devices
from deviceflow.store.factors import FactorStore
from deviceflow.store.families import Families
from deviceflow.store.feed import CATCH_UP_S, Feed
from deviceflow.store.grants import Grants
from deviceflow.store.holds import Holds
from deviceflow.store.installation import Installation
from deviceflow.store.kept_keys import keep_new_keys
from deviceflow.store.limits import Limits
from deviceflow.store.links import Links
from deviceflow.store.load import StoreLoad
from deviceflow.store.mirror import Mirror
from deviceflow.store.notice_links import NoticeLinks
from deviceflow.store.person_access import PersonAccess
from deviceflow.store.redemptions import Redemptions
from deviceflow.store.replay import Replay
from deviceflow.store.reports import Reports
from deviceflow.store.sessions import Sessions
from deviceflow.store.slots import Slots
from deviceflow.store.starts import Starts
from deviceflow.store.upstream_answers import UpstreamAnswers
from deviceflow.store.upstream_sessions import UpstreamSessions
from deviceflow.store.users import Users
from deviceflow.tasks import end
from deviceflow.upstream.providers import Providers


class Secrets(NamedTuple):
    """What is read from the store once, before the workers start.

    Without the store, there are no signing keys: they are read when it is back.
    """

    installation: Installation
    signing_keys: list[SigningKey]
    clients: Sequence[Client] = ()


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The shared objects of one worker. `pace`: the table that all workers of a host share.

    `recorder` counts what the worker does, `pushes` measures its push messages, `audit` records
    security events.
    """

    settings: Settings
    clock: Clock
    steady: SteadyClock
    connection: Connection
    installation: Installation
    clients: Clients
    stored_clients: StoredClients
    client_revocations: ClientRevocations
    client_cancellations: ClientCancellations
    signer: Signer
    mirror: Mirror
    grants: Grants
    feed: Feed
    holds: Holds
    users: Users
    families: Families
    device_index: DeviceIndex
    devices: Devices
    access_tokens: AccessTokens
    redemptions: Redemptions
    sessions: Sessions
    factors: FactorStore
    limits: Limits
    starts: Starts
    load: StoreLoad
    reports: Reports
    replay: Replay
    outboxes: Outboxes
    notice_links: NoticeLinks
    callers: Callers
    places: Places
    resources: Resources
    pace: PaceTable
    intervals: IntervalControl
    recorder: Recorder
    audit: Audit
    pushes: PushWatch
    providers: Providers
    links: Links
    upstream_answers: UpstreamAnswers
    upstream_sessions: UpstreamSessions

    @property
    def store_state(self) -> str:
        """What this worker sees of the store: away, refusing, pressed, or `reachable`."""
        state = self.feed.store_state
        return self.load.state or state if state == REACHABLE else state

    @property
    def person_access(self) -> PersonAccess:
        """What ends a person's sessions and devices, all at once."""
        return PersonAccess(users=self.users, sessions=self.sessions, devices=self.devices)

    def below(self, routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
        """Place routes below the issuer's path, where every public address is."""
        place = self.settings.route
        return [
            web.RouteDef(route.method, place(route.path), route.handler, route.kwargs)
            for route in routes
        ]

    async def live(self, _: web.Application) -> AsyncIterator[None]:
        """Run the feed while the application runs; close everything at its end."""
        # Read clients and keys as they are now, before the first request is answered: a worker
        # that replaces another one received those of the server's start.
        await self.feed.look_first()
        runs = (self.feed.run(), self.load.run(), self.intervals.run())
        running = [asyncio.create_task(each) for each in runs]
        yield
        await end(*running)
        self.users.close()
        await self.providers.close()
        self.places.close()
        await self.holds.close()
        await self.connection.close()


def open_parts(
    settings: Settings,
    connection: Connection,
    secrets: Secrets,
    pace_memory: memoryview,
    clock: Clock,
    steady: SteadyClock,
    recorder: Recorder,
) -> Parts:
    """Make the shared objects of one worker. May raise PlacesError."""
    connection.watch = StoreWatch(recorder)
    pushes = PushWatch(recorder)
    installation = secrets.installation
    clients = Clients(settings.clients, settings.phishing.barred_scopes)
    clients.adopt(secrets.clients)
    stored_clients = StoredClients(connection)
    revocations = ClientRevocations(connection)
    signer = Signer(secrets.signing_keys, settings.tokens.algorithm, clock)
    mirror = Mirror()
    cancellations = ClientCancellations(connection, mirror)
    tokens = settings.tokens
    # Where no token is used, a family ends at the latest with the first of these.
    idle_s = min(tokens.refresh_token_idle_s, tokens.refresh_token_lifetime_s)
    device_index = DeviceIndex(connection, installation, idle_s, clock)
    slots = Slots(connection, clock)
    grants = Grants(connection, installation, mirror, slots, device_index, clock)
    families = Families(
        connection,
        installation,
        tokens.refresh_token_idle_s,
        clock,
        tokens.access_token_lifetime_s,
    )
    grants.on_push = pushes.sent
    limits = Limits(connection, installation)
    limits.on_refusal = partial(recorder.count, table.REFUSALS)
    reload = Reload(
        connection=connection,
        keep=partial(keep_new_keys, Path(settings.server.data_dir), installation),
        clients=clients,
        stored_clients=stored_clients,
        revocations=revocations,
        cancellations=cancellations,
        signer=signer,
        signing_keys=open_signing_keys(settings, connection, installation, clock),
        installation=installation,
        clock=clock,
    )
    pace = PaceTable(pace_memory, settings.device.max_interval_s)
    load = StoreLoad(
        connection=connection, full_at=settings.limits.store_memory_percent / 100, steady=steady
    )
    holds = Holds(connection)
    users = Users(connection, settings.users, installation.name, steady)
    session_lifetime_s = settings.pages.session_lifetime_s
    feed = Feed(
        connection=connection,
        installation=installation,
        mirror=mirror,
        clock=clock,
        ask=grants.state_of,
        on_change=reload,
        catch_up_s=CATCH_UP_S,
        on_hold=holds.hear,
        on_push=pushes.heard,
        on_look=partial(note_look, recorder),
        on_clients=reload.some_clients,
        longest_s=lambda: _longest_lifetime(settings, clients),
    )
    return Parts(
        settings=settings,
        clock=clock,
        steady=steady,
        connection=connection,
        installation=installation,
        clients=clients,
        stored_clients=stored_clients,
        client_revocations=revocations,
        client_cancellations=cancellations,
        signer=signer,
        mirror=mirror,
        grants=grants,
        feed=feed,
        holds=holds,
        users=users,
        families=families,
        device_index=device_index,
        devices=Devices(
            connection, installation, device_index, grants, families, revocations, clock
        ),
        access_tokens=AccessTokens(connection),
        redemptions=Redemptions(
            connection, installation, settings.device.redemption_grace_s, clock
        ),
        sessions=Sessions(connection, installation, session_lifetime_s),
        factors=FactorStore(connection, installation),
        limits=limits,
        starts=Starts(connection, installation, clock),
        load=load,
        reports=Reports(connection, installation, clock),
        replay=Replay(connection, installation),
        outboxes=Outboxes(),
        notice_links=NoticeLinks(connection),
        callers=Callers(
            settings.server.proxies,
            settings.server.forwarded_header,
            clock,
            warns=not settings.server.names_no_proxies,
        ),
        places=open_places(settings.pages.geoip_file),
        resources=Resources(settings.issuer_url, settings.resources),
        pace=pace,
        intervals=IntervalControl(
            bounds=IntervalBounds(settings.device.interval_s, settings.device.longest_for_load_s),
            pace=pace,
            recorder=recorder,
            busy=busy_s,
            steady=steady,
        ),
        recorder=recorder,
        audit=Audit(recorder=recorder, clock=clock, steady=steady),
        pushes=pushes,
        providers=Providers(settings.upstream, clock=clock, steady=steady),
        links=Links(connection, users),
        upstream_answers=UpstreamAnswers(connection, installation),
        upstream_sessions=UpstreamSessions(connection, installation, session_lifetime_s, clock),
    )


def _longest_lifetime(settings: Settings, clients: Clients) -> int:
    """Return how long a grant can live under these settings, in s."""
    return max(settings.device.lifetime_s, *(client.lifetime_s or 0 for client in clients), 0)
