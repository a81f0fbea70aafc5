"""Grants in the store: issued, found by user code, claimed, decided, redeemed.

A decision takes three steps: (1) a hint in the decision log, (2) one script on the grant's key,
which makes the change if the tables of core/grant.py allow it, (3) a push message. If the
process dies after (1) or (2), the hint still makes every worker ask within a second. An approval
lists the device among those of the person before all that (`device_index`).
"""

import secrets
from asyncio import gather
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from deviceflow.core import user_code as codes
from deviceflow.core.claims import Subject
from deviceflow.core.clock import Clock
from deviceflow.core.grant import CANCELLABLE, Event, Outcome, State
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store import keyspace, scripts
from deviceflow.store.announcements import Decision, announce_decisions
from deviceflow.store.connection import Connection
from deviceflow.store.decision_log import DecisionLog, Hint
from deviceflow.store.device_index import DeviceEntry, DeviceIndex
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.families import Family, family_fields
from deviceflow.store.installation import Installation
from deviceflow.store.mirror import Mirror
from deviceflow.store.new_grants import (
    NewGrants,
    WantedGrant,
    grant_key,
    grant_name,
    user_code_keys,
)
from deviceflow.store.records import RecordKind, check_fields, read_record, write_record
from deviceflow.store.shapes import Value
from deviceflow.store.shared_trips import SharedTrips
from deviceflow.store.slots import Slots

GUESSES_PER_LIFETIME = 8
LOG_ID_LENGTH = 10
"""60 bits: of a million grants, no two have the same name, but for a chance of 1 in 2 million."""
_NO_GRANT = 2**64 - 1


class GrantRequest(msgspec.Struct, frozen=True):
    """A device's request. `requested_at` in s; `device`: a stored `DeviceDescription`.

    `scope` and `resources`: space separated; `code_challenge`: S256 (RFC 7636); `dpop_jkt`: the
    thumbprint of the key that the tokens will be bound to (RFC 9449).
    """

    client_id: str
    scope: str
    requested_at: int
    address: str
    device: str
    code_challenge: str = ""
    dpop_jkt: str = ""
    resources: str = ""


class Grant(GrantRequest, frozen=True, kw_only=True):
    """One grant as the store knows it: the request, and what has become of it. Times in s.

    `approved_at`: by the store's clock; None if it is not approved, or by an older version.
    `language`: the tag of the page on which it was approved; empty if that is not known.
    """

    id: int
    state: State
    expires_at: int
    claimed_by: str | None = None
    approval: Subject | None = None
    approved_at: float | None = None
    language: str = ""


class DecisionPage(NamedTuple):
    """The page on which a person decides: for which `address`, and in which `language` (a tag)."""

    address: str = ""
    language: str = ""


NO_PAGE = DecisionPage()


class GrantCodes(NamedTuple):
    """A new grant's codes; the user code without separators. `log_id`: see `Grants.log_id`."""

    device_code: str
    user_code: str
    log_id: str


class Redemption(NamedTuple):
    """The family of refresh tokens that begins with a redemption."""

    family: Family
    token_hash: str
    idle_until_ms: int


class RepeatableRedemption(NamedTuple):
    """What a repetition of a redemption needs, kept for `kept_ms`."""

    record: bytes
    kept_ms: int


class RecentDecision(NamedTuple):
    """A grant that was decided, and when its decision was last noted (s)."""

    at: float
    grant: Grant


def _ignore(_: int) -> None:
    return None


class Grants:
    """The door to grants. Every method may raise StoreUnavailable.

    `on_push` is called with the id of a grant whose decision is about to be pushed.
    """

    def __init__(
        self,
        connection: Connection,
        installation: Installation,
        mirror: Mirror,
        slots: Slots,
        devices: DeviceIndex,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._installation = installation
        self._mirror = mirror
        self._slots = slots
        self._devices = devices
        self._clock = clock
        self.on_push: Callable[[int], None] = _ignore
        self._new = NewGrants(connection, installation, slots)
        self._log = DecisionLog(connection, clock)
        self._announcements = SharedTrips(self._push)

    async def issue(
        self, request: GrantRequest, form: UserCodeFormat, lifetime: int, interval: int
    ) -> GrantCodes:
        """Make a grant that lives for `lifetime` s, to be polled every `interval` s."""
        wanted = WantedGrant(
            fields=_request_fields(request),
            form=form,
            lifetime=lifetime,
            expires_at=request.requested_at + lifetime,
        )
        made = await self._new.make(wanted)
        device_code = self._installation.new_device_code(
            made.grant_id, made.expires_at, interval, request.client_id
        )
        return GrantCodes(device_code, made.user_code, self.log_id(made.grant_id))

    async def code_length(self, form: UserCodeFormat, lifetime: int) -> int:
        """Return the length that the code of a new grant would have now."""
        return codes.length_for(form, *await self._slots.pressure(lifetime))

    async def wrong_codes(self) -> int:
        """Return how many codes led nowhere in the last ten minutes, on all hosts."""
        return await self._slots.wrong_codes()

    async def count_live(self) -> int:
        """Return how many unexpired grants there are, decided or not, to about a minute."""
        return await self._slots.live()

    async def find(self, user_code: str) -> Grant | None:
        """Return the unexpired grant of a normalised user code, or None.

        A code that leads nowhere is counted: many of them lengthen the codes of new grants.
        """
        grant_id = await self._id_of(user_code)
        if grant_id is None:
            await self._slots.count_wrong_code()
            return None
        grant = await self.get(grant_id)
        return None if grant is None or self._clock() >= grant.expires_at else grant

    async def recall(self, user_code: str) -> Grant | None:
        """Return the grant of a normalised user code, also in the minute after its end, or None.

        For a caller that knows the code already: a code that leads nowhere is not counted. It takes
        as many round trips as a known one, so the time does not tell which codes exist.
        """
        grant_id = await self._id_of(user_code)
        return await self.get(_NO_GRANT if grant_id is None else grant_id)

    async def _id_of(self, user_code: str) -> int | None:
        keys = user_code_keys(self._installation, user_code)
        # All at once: the time must not tell with which keys a code was made.
        found = await gather(*(self._connection.command("GET", key) for key in keys))
        grant_id = next((each for each in found if each is not None), None)
        return None if grant_id is None else int(grant_id, 16)

    async def get(self, grant_id: int) -> Grant | None:
        """Return the grant as it is now, or None if the store has no such grant.

        May raise RecordUnreadable. A script changes only a grant that was read.
        """
        fields = await self._connection.command("HGETALL", self._key(grant_id))
        return self._as_cancelled(_grant(grant_id, fields)) if fields else None

    def is_cancelled(self, client_id: str, grant_id: int) -> bool:
        """Return whether a grant was cancelled with all that its client had."""
        return self._mirror.is_cancelled(client_id.encode(), grant_id)

    def _as_cancelled(self, grant: Grant) -> Grant:
        """Return the grant, as cancelled if all of its client were and its state allows that."""
        if grant.state in CANCELLABLE and self.is_cancelled(grant.client_id, grant.id):
            return msgspec.structs.replace(grant, state=State.CANCELLED)
        return grant

    async def recent(self, count: int) -> list[RecentDecision]:
        """Return the newest decisions of grants that the store still has, one for each grant.

        `count`: how many entries of the decision log are read.
        """
        newest = await self._log.newest(count)
        grants = await gather(*(self._get_readable(grant_id) for grant_id in newest))
        found = zip(newest.values(), grants, strict=True)
        # An entry is a hint: perhaps nothing was decided.
        return [
            RecentDecision(at, grant)
            for at, grant in found
            if grant is not None and grant.state is not State.PENDING
        ]

    async def _get_readable(self, grant_id: int) -> Grant | None:
        try:
            return await self.get(grant_id)
        except RecordUnreadable:
            return None

    async def state_of(self, grant_id: int) -> State | None:
        """Return the grant's state as it is now, or None if the store has none that can be read."""
        state, version = await self._connection.command("HMGET", self._key(grant_id), "state", "v")
        if state is None:
            return None
        try:
            check_fields({} if version is None else {b"v": version}, RecordKind.GRANT)
            return State(state.decode())
        except (RecordUnreadable, ValueError):
            # The poll that asks for this grant asks the store itself, and waits.
            return None

    async def claim(self, grant: Grant, account: str) -> Outcome:
        """Make `account` (a subject) the only one that may decide."""
        transition = await self._transition(grant, Event.CLAIM, account)
        return transition.outcome

    async def release(self, grant: Grant, account: str) -> Outcome:
        """Give back the claim of `account`: from now on any account may claim the grant."""
        transition = await self._transition(grant, Event.RELEASE, account)
        return transition.outcome

    async def decide(
        self,
        grant: Grant,
        event: Event,
        approval: Subject | None = None,
        scope: str | None = None,
        page: DecisionPage = NO_PAGE,
    ) -> Outcome:
        """Approve, deny or cancel. Workers know at once, at the latest within a second.

        `scope`: the part of the requested scope that is approved; None for all of it. It becomes
        the scope of the grant, so a host of an older version gives no more either.
        `page`: its address is for the list of devices, its language for the notice.
        """
        if event is Event.APPROVE and approval is not None:
            await self._list_device(grant, approval.sub, scope, page.address)
        await self._hint(grant)
        writes = scripts.ApprovalWrites(scope=scope, language=page.language)
        return await self._decide(grant, event, approval, writes)

    async def claim_and_decide(
        self, grant: Grant, event: Event, approval: Subject, scope: str = "", language: str = ""
    ) -> Outcome:
        """Approve or deny for an account that may not have claimed the grant, in one step.

        It is the claim and then the decision. `scope`: what is granted in place of what was
        requested; the caller has checked that it is a part of it. The grant has it from then on.
        `language`: the tag of the person's language, for the notice.
        """
        granted = scope or None
        if event is Event.APPROVE:
            await gather(self._list_device(grant, approval.sub, granted, ""), self._hint(grant))
        else:
            await self._hint(grant)
        writes = scripts.ApprovalWrites(scope=granted, claims=True, language=language)
        return await self._decide(grant, event, approval, writes)

    async def _decide(
        self,
        grant: Grant,
        event: Event,
        approval: Subject | None,
        writes: scripts.ApprovalWrites,
    ) -> Outcome:
        """Make the change. The hint has been written, and the device of an approval is listed."""
        account = approval.sub if approval else ""
        record = write_record(approval).decode() if event is Event.APPROVE else ""
        outcome, state = await self._transition(
            grant, event, account, approval=writes._replace(record=record)
        )
        if outcome is Outcome.CHANGED and state is not None:
            await self._announce(grant, state)
        return outcome

    async def redeem(
        self,
        grant: Grant,
        redemption: Redemption | None,
        repeatable: RepeatableRedemption | None = None,
        access_ends_at: int = 0,
    ) -> Outcome:
        """Flip approved to redeemed, once, and store the family in the same step.

        With `repeatable`, `Redemptions` gives it back for some time. `access_ends_at`: when the
        access token ends (s), so that the device is listed until then without a family, too.
        """
        await self._hint(grant)
        name = self.family_name(grant.id)
        writes = scripts.RedemptionWrites(
            keyspace.family(name), keyspace.redemption(name), keyspace.living(name)
        )
        if redemption is not None:
            fields = family_fields(redemption.family, redemption.token_hash)
            writes = writes._replace(family=fields, family_ends_at_ms=redemption.idle_until_ms)
        if repeatable is not None:
            writes = writes._replace(record=repeatable.record, kept_ms=repeatable.kept_ms)
        if access_ends_at * 1000 > writes.family_ends_at_ms:
            writes = writes._replace(lives_until_ms=access_ends_at * 1000)
        outcome, state = await self._transition(grant, Event.REDEEM, redemption=writes)
        if outcome is Outcome.CHANGED and state is not None:
            await self._announce(grant, state)
        return outcome

    def family_name(self, grant_id: int) -> str:
        """Return the name that a grant shares with its family of refresh tokens."""
        return grant_name(self._installation, grant_id)

    def log_id(self, grant_id: int) -> str:
        """Return the name of a grant in the log. It leads to neither its codes nor its keys."""
        return self._installation.name(b"log", grant_id.to_bytes(8))[:LOG_ID_LENGTH]

    async def _list_device(
        self, grant: Grant, sub: str, scope: str | None, approved_from: str
    ) -> None:
        """List the device among those of the person, before the grant changes.

        If the grant then does not change, the entry is left out of what the person sees.
        """
        entry = DeviceEntry(
            client_id=grant.client_id,
            scope=grant.scope if scope is None else scope,
            approved_at=int(self._clock()),
            grant=f"{grant.id:x}",
            device=grant.device,
            address=grant.address,
            approved_from=approved_from,
        )
        await self._devices.add(sub, self.family_name(grant.id), entry, grant.expires_at)

    async def _transition(
        self,
        grant: Grant,
        event: Event,
        account: str = "",
        approval: scripts.ApprovalWrites = scripts.NO_APPROVAL,
        redemption: scripts.RedemptionWrites | None = None,
    ) -> scripts.Transition:
        if event is not Event.CANCEL and await self._was_cancelled(grant):
            return scripts.Transition(Outcome.REFUSED, State.CANCELLED)
        return await scripts.transition(
            self._connection,
            self._key(grant.id),
            event,
            request_id=secrets.token_hex(8),
            account=account,
            approval=approval,
            redemption=redemption,
        )

    async def _was_cancelled(self, grant: Grant) -> bool:
        """Return whether a grant was cancelled with all of its client, and has not ended before.

        The mark is in another hash slot than the grant: no script sees both. So the grant is read
        again, and only where there is a mark.
        """
        if not self.is_cancelled(grant.client_id, grant.id):
            return False
        now = await self.get(grant.id)
        if now is None or self._clock() >= now.expires_at:
            return False
        return now.state is State.CANCELLED

    async def _hint(self, grant: Grant) -> None:
        await self._log.note(Hint(grant.id, grant.expires_at))

    async def _announce(self, grant: Grant, state: State) -> None:
        decision = Decision(grant.id, state, grant.expires_at)
        self._mirror.learn(*decision)
        await self._announcements.send(decision)

    async def _push(self, decisions: Sequence[Decision]) -> list[None]:
        for decision in decisions:
            self.on_push(decision.grant_id)
        await announce_decisions(self._connection, decisions)
        return [None] * len(decisions)

    def _key(self, grant_id: int) -> str:
        return grant_key(self._installation, grant_id)


# One field for each value, all short: a hash whose values have at most 64 bytes is stored
# compactly, in two thirds of the memory (docs/decisions/0007).
_FIELDS = {
    "client": "client_id",
    "scope": "scope",
    "at": "requested_at",
    "from": "address",
    "agent": "device",
    "challenge": "code_challenge",
    "jkt": "dpop_jkt",
    "resources": "resources",
}


def _request_fields(request: GrantRequest) -> dict[str, Value]:
    """Return the fields of a new grant, as the scripts store them; an empty value has none."""
    values = {field: getattr(request, name) for field, name in _FIELDS.items()}
    return {field: value for field, value in values.items() if value}


def _grant(grant_id: int, stored: dict[bytes, bytes]) -> Grant:
    """Return the grant in a hash. May raise RecordUnreadable."""
    check_fields(stored, RecordKind.GRANT)
    try:
        return _grant_of_fields(grant_id, stored)
    except (KeyError, ValueError, OverflowError) as error:
        raise RecordUnreadable(f"a grant cannot be read: {error!r}") from error


def _grant_of_fields(grant_id: int, stored: dict[bytes, bytes]) -> Grant:
    fields = {name.decode(): value.decode() for name, value in stored.items()}
    request: dict[str, Any] = {name: fields.get(field, "") for field, name in _FIELDS.items()}
    request["requested_at"] = int(request["requested_at"])
    approval = fields.get("approval")
    approved = fields.get("approved")
    return Grant(
        **request,
        id=grant_id,
        state=State(fields["state"]),
        expires_at=int(fields["expires"]),
        claimed_by=fields.get("account"),
        approval=read_record(approval.encode(), RecordKind.APPROVAL, Subject) if approval else None,
        approved_at=int(approved) / 1000 if approved else None,
        language=fields.get("language", ""),
    )
