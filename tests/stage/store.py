"""A store with everything in it, as one worker has it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deviceflow.core.claims import Subject
from deviceflow.core.grant import Event, Outcome
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store import keyspace
from deviceflow.store.client_revocations import ClientRevocations
from deviceflow.store.connection import Connection
from deviceflow.store.device_index import DeviceIndex
from deviceflow.store.devices import Devices
from deviceflow.store.families import Families, Family, RefreshToken
from deviceflow.store.feed import CATCH_UP_S, Feed
from deviceflow.store.grant_records import (
    Grant,
    GrantCodes,
    GrantRequest,
    Redemption,
)
from deviceflow.store.grants import Grants
from deviceflow.store.installation import Installation
from deviceflow.store.limits import Limits
from deviceflow.store.mirror import Mirror
from deviceflow.store.redemptions import RedeemedTokens, Redemptions, TokenContent, new_seed
from deviceflow.store.sessions import Sessions
from deviceflow.store.shapes import Value
from deviceflow.store.slots import Slots
from deviceflow.tasks import end
from tests.stage.clock import Clock

LIFETIME_S = 600
IDLE_S = 1000
GRACE_S = 60

ADA = Subject(sub="sub-ada", username="ada", auth_time=1, amr=("pwd",), name="Ada")


BOB = Subject(sub="sub-bob", username="bob", auth_time=2, amr=("pwd",))


async def nothing_to_reload() -> None:
    """A store alone has no clients and keys to read again."""


@dataclass
class Store:
    """One worker's doors to the store, and shortcuts for what tests do all the time."""

    connection: Connection
    installation: Installation
    clock: Clock
    on_change: Callable[[], Awaitable[None]] = nothing_to_reload
    catch_up_s: float = CATCH_UP_S

    def __post_init__(self) -> None:
        self.mirror = Mirror()
        self.slots = Slots(self.connection, self.clock)
        self.device_index = DeviceIndex(self.connection, self.installation, IDLE_S, self.clock)
        self.grants = Grants(
            self.connection,
            self.installation,
            self.mirror,
            self.slots,
            self.device_index,
            self.clock,
        )
        self.feed = Feed(
            connection=self.connection,
            installation=self.installation,
            mirror=self.mirror,
            clock=self.clock,
            ask=self.grants.state_of,
            on_change=self.on_change,
            catch_up_s=self.catch_up_s,
        )
        self.families = Families(self.connection, self.installation, IDLE_S, self.clock)
        self.client_revocations = ClientRevocations(self.connection)
        self.devices = Devices(
            self.connection,
            self.installation,
            self.device_index,
            self.grants,
            self.families,
            self.client_revocations,
            self.clock,
        )
        self.redemptions = Redemptions(self.connection, self.installation, GRACE_S, self.clock)
        self.sessions = Sessions(self.connection, self.installation, 100)
        self.limits = Limits(self.connection, self.installation)

    def request(self, requested_at: int | None = None) -> GrantRequest:
        """What a television asks for, now or at another time."""
        at = int(self.clock()) if requested_at is None else requested_at
        return GrantRequest("tv-app", "openid profile", at, "203.0.113.7", "NebulaTV 4.2")

    async def issue(self, lifetime: int = LIFETIME_S) -> GrantCodes:
        return await self.grants.issue(self.request(), UserCodeFormat(), lifetime, 5)

    async def grant(self, lifetime: int = LIFETIME_S) -> Grant:
        """A pending grant."""
        issued = await self.issue(lifetime)
        grant = await self.grants.find(issued.user_code)
        assert grant is not None
        return grant

    async def approved(self, by: Subject = ADA) -> Grant:
        """An approved grant."""
        grant = await self.grant()
        assert await self.grants.claim(grant, by.sub) is Outcome.CHANGED
        assert await self.grants.decide(grant, Event.APPROVE, by) is Outcome.CHANGED
        return await self.read(grant)

    async def read(self, grant: Grant) -> Grant:
        """The grant as it is now."""
        stored = await self.grants.get(grant.id)
        assert stored is not None
        return stored

    def redemption(self, grant: Grant, lifetime: int = 5000) -> tuple[RefreshToken, Redemption]:
        """A refresh token, and the family that begins with it."""
        token = RefreshToken.new(self.grants.family_name(grant.id))
        family = Family(
            client_id=grant.client_id,
            scope=grant.scope,
            subject=ADA,
            expires_at=int(self.clock()) + lifetime,
        )
        return token, Redemption(family, token.hash, self.families.idle_until_ms(family))

    async def family(self, lifetime: int = 5000) -> tuple[RefreshToken, Family]:
        """The first refresh token of a redeemed grant."""
        grant = await self.approved()
        token, redemption = self.redemption(grant, lifetime)
        assert await self.grants.redeem(grant, redemption) is Outcome.CHANGED
        return token, redemption.family

    def tokens(self) -> RedeemedTokens:
        """What the tokens of a redemption are made from."""
        content = TokenContent(
            access_token={"sub": ADA.sub, "cnf": {"jkt": "x"}}, id_token=None, is_opaque=False
        )
        return RedeemedTokens(
            seed=new_seed(),
            content=content,
            has_refresh_token=True,
            jkt="x",
            resources=(),
            key_id=self.redemptions.key_id,
        )

    async def repeatable(self) -> tuple[Grant, RedeemedTokens]:
        """A grant that was redeemed a moment ago."""
        grant, tokens = await self.approved(), self.tokens()
        name = self.grants.family_name(grant.id)
        token = self.redemptions.refresh_token(tokens, name)
        _, redemption = self.redemption(grant)
        redemption = redemption._replace(token_hash=token.hash)
        kept = self.redemptions.repeatable(tokens, 3600)
        assert await self.grants.redeem(grant, redemption, kept) is Outcome.CHANGED
        return grant, tokens

    @asynccontextmanager
    async def fed(self) -> AsyncIterator[None]:
        """Run the feed meanwhile; fail if it ends."""
        feeding = asyncio.create_task(self.feed.run())
        try:
            yield
            assert not feeding.done(), "the feed has ended"
        finally:
            await end(feeding)


async def log(store: Store, entries: Iterable[tuple[Value, ...]]) -> None:
    """Write entries into the decision log: the id of each, then its fields and their values."""
    adding = [("XADD", keyspace.DECISIONS, *entry) for entry in entries]
    await store.connection.batch(*adding, ("EXPIRE", keyspace.DECISIONS, 60))
