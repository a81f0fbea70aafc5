"""Grants in the store: made, found by user code, claimed, decided, redeemed.

A decision takes three steps: (1) a hint in the decision log, (2) one script on the grant's one
key, which makes the change if the table allows it, (3) a push message. If the process dies
after (1) or (2), the hint still makes every worker ask within a second.
"""

import secrets
from typing import NamedTuple

import msgspec

from deviceflow.core import user_code as codes
from deviceflow.core.claims import Subject
from deviceflow.core.clock import Clock
from deviceflow.core.device_code import NONCE_BITS
from deviceflow.core.grant import Event, Outcome, State
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store.changes import CHANNEL
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.families import Family, family_fields
from deviceflow.store.installation import Installation
from deviceflow.store.mirror import LOG_KEY, Mirror, announcement
from deviceflow.store.slots import Slots

KEPT_AFTER_EXPIRY_MS = 60_000
LOG_KEPT_S = 86_400 + 3600
COLLISION_TRIES = 8
GUESSES_PER_LIFETIME = 8


class GrantRequest(msgspec.Struct, frozen=True):
    """What the device asked for. `requested_at` in s.

    `scope` and `resources`: space separated; `code_challenge`: S256 (RFC 7636); `dpop_jkt`: the
    thumbprint of the key that the tokens will be bound to (RFC 9449).
    """

    client_id: str
    scope: str
    requested_at: int
    address: str
    user_agent: str
    code_challenge: str = ""
    dpop_jkt: str = ""
    resources: str = ""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """One grant as the store knows it. Times in s."""

    id: int
    state: State
    client_id: str
    scope: str
    requested_at: int
    expires_at: int
    address: str
    user_agent: str
    claimed_by: str | None = None
    approval: Subject | None = None
    code_challenge: str = ""
    dpop_jkt: str = ""
    resources: str = ""


class GrantCodes(NamedTuple):
    """A new grant's codes; the user code without separators."""

    device_code: str
    user_code: str


class Redemption(NamedTuple):
    """The family of refresh tokens that begins with a redemption."""

    family: Family
    token_hash: str
    idle_until_ms: int


class Grants:
    """The door to grants. Every method raises StoreUnavailable."""

    def __init__(
        self,
        connection: Connection,
        installation: Installation,
        mirror: Mirror,
        slots: Slots,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._mirror = mirror
        self._slots = slots
        self._clock = clock

    async def issue(
        self, request: GrantRequest, form: UserCodeFormat, lifetime: int, interval: int
    ) -> GrantCodes:
        """Make a grant that lives for `lifetime` s, with an interval of `interval` s."""
        expires_at = request.requested_at + lifetime
        slot = await self._slots.take()
        length = codes.length_for(form, self._slots.live(lifetime), GUESSES_PER_LIFETIME)
        for _ in range(COLLISION_TRIES):
            grant_id = slot << NONCE_BITS | secrets.randbits(NONCE_BITS)
            user_code = codes.generate(form, length, secrets.randbelow)
            if await self._store(grant_id, user_code, request, expires_at):
                device_code = self._installation.codes.seal(
                    grant_id, expires_at, interval, request.client_id
                )
                return GrantCodes(device_code, user_code)
        raise StoreUnavailable("no free user code")

    async def find(self, user_code: str) -> Grant | None:
        """The unexpired grant of a normalised user code."""
        found = await self._connection.command("GET", self._user_code_key(user_code))
        if found is None:
            return None
        grant = await self.read(int(found, 16))
        return None if grant is None or self._clock() >= grant.expires_at else grant

    async def read(self, grant_id: int) -> Grant | None:
        """The grant as it is now, or None if the store has none."""
        fields = await self._connection.command("HGETALL", self._key(grant_id))
        return _grant(grant_id, fields) if fields else None

    async def state_of(self, grant_id: int) -> State | None:
        """The grant's state as it is now, or None if the store has no such grant."""
        state = await self._connection.command("HGET", self._key(grant_id), "state")
        return State(state.decode()) if state else None

    async def claim(self, grant: Grant, account: str) -> Outcome:
        """Let `account` (a subject) be the one that decides."""
        outcome, _ = await self._transition(grant.id, Event.CLAIM, account)
        return outcome

    async def decide(self, grant: Grant, event: Event, approval: Subject | None = None) -> Outcome:
        """Approve, deny or cancel. Workers know at once; at the latest within a second."""
        await self._hint(grant)
        account = approval.sub if approval else ""
        stored = msgspec.json.encode(approval).decode() if event is Event.APPROVE else ""
        outcome, state = await self._transition(grant.id, event, account, stored)
        if outcome is Outcome.CHANGED and state is not None:
            await self._announce(grant, state)
        return outcome

    async def redeem(self, grant: Grant, redemption: Redemption | None) -> Outcome:
        """Flip approved to redeemed, once, and store the family in the same step."""
        await self._hint(grant)
        family: list[str | bytes | int] = []
        if redemption is not None:
            family = [redemption.idle_until_ms]
            family += family_fields(redemption.family, redemption.token_hash)
        outcome, state = await self._transition(grant.id, Event.REDEEM, "", "", family)
        if outcome is Outcome.CHANGED and state is not None:
            await self._announce(grant, state)
        return outcome

    def family_name(self, grant_id: int) -> str:
        """The name that a grant shares with its family of refresh tokens."""
        return self._installation.name(b"grant", grant_id.to_bytes(8))

    async def _store(
        self, grant_id: int, user_code: str, request: GrantRequest, expires_at: int
    ) -> bool:
        index = self._user_code_key(user_code)
        value = f"{grant_id:x}"
        until = expires_at * 1000 + KEPT_AFTER_EXPIRY_MS
        arguments = (expires_at, KEPT_AFTER_EXPIRY_MS, *_request_fields(request))
        async with self._connection.pipeline() as pipe:
            pipe.set(index, value, nx=True, pxat=until, get=True)
            await self._connection.queue(pipe, "create", [self._key(grant_id)], *arguments)
            owner, made = await pipe.execute()
        # A repeated command finds the value that it had set itself.
        ours = owner is None or owner == value.encode()
        return ours and bool(made)

    async def _transition(
        self,
        grant_id: int,
        event: Event,
        account: str,
        approval: str = "",
        family: list[str | bytes | int] | None = None,
    ) -> tuple[Outcome, State | None]:
        keys = [self._key(grant_id)]
        if family:
            keys.append(f"df:f:{{{self.family_name(grant_id)}}}")
        outcome, state = await self._connection.run_durably(
            "transition", keys, event, secrets.token_hex(8), account, approval, *(family or ())
        )
        return Outcome(outcome.decode()), State(state.decode()) if state else None

    async def _hint(self, grant: Grant) -> None:
        oldest = int(self._clock() - LOG_KEPT_S) * 1000
        async with self._connection.pipeline() as pipe:
            fields = {"g": f"{grant.id:x}", "x": str(grant.expires_at)}
            pipe.xadd(LOG_KEY, fields, minid=max(0, oldest), approximate=True)
            pipe.expire(LOG_KEY, LOG_KEPT_S)
            await pipe.execute()

    async def _announce(self, grant: Grant, state: State) -> None:
        self._mirror.learn(grant.id, state, grant.expires_at)
        message = announcement(grant.id, state, grant.expires_at)
        try:
            await self._connection.command("PUBLISH", CHANNEL, message)
        except StoreUnavailable:
            # It is decided and in the log: the catch-up delivers it.
            return

    def _key(self, grant_id: int) -> str:
        return f"df:g:{{{self.family_name(grant_id)}}}"

    def _user_code_key(self, user_code: str) -> str:
        return f"df:u:{self._installation.name(b'user code', user_code.encode())}"


# One field a value, all short: a hash whose values have at most 64 bytes is stored compactly,
# in two thirds of the memory (docs/decisions).
_FIELDS = {
    "client": "client_id",
    "scope": "scope",
    "at": "requested_at",
    "from": "address",
    "agent": "user_agent",
    "challenge": "code_challenge",
    "jkt": "dpop_jkt",
    "resources": "resources",
}


def _request_fields(request: GrantRequest) -> list[str | bytes | int]:
    """The fields of a new grant, as the scripts store them; what is empty is not stored."""
    values = ((field, getattr(request, name)) for field, name in _FIELDS.items())
    return [part for pair in values if pair[1] for part in pair]


def _grant(grant_id: int, stored: dict[bytes, bytes]) -> Grant:
    fields = {name.decode(): value.decode() for name, value in stored.items()}
    request = {name: fields.get(field, "") for field, name in _FIELDS.items()}
    approval = fields.get("approval")
    return Grant(
        id=grant_id,
        state=State(fields["state"]),
        client_id=request["client_id"],
        scope=request["scope"],
        requested_at=int(request["requested_at"]),
        expires_at=int(fields["expires"]),
        address=request["address"],
        user_agent=request["user_agent"],
        claimed_by=fields.get("account"),
        approval=msgspec.json.decode(approval, type=Subject) if approval else None,
        code_challenge=request["code_challenge"],
        dpop_jkt=request["dpop_jkt"],
        resources=request["resources"],
    )
