"""Grants in the store: issued, claimed, decided, redeemed. `grant_reader` finds them.

A decision takes three steps: (1) a hint in the decision log, (2) one script on the grant's key,
which makes the change if the tables of core/grant.py allow it, (3) a push message. If the
process dies after (1) or (2), the hint still makes every worker ask within a second.

Before (2), and in any order with (1), an approval lists the device among those of the person
(`device_index`): so a device that may have tokens is always listed.
"""

import secrets
from asyncio import gather
from collections.abc import Callable, Sequence

from deviceflow.core import user_code as codes
from deviceflow.core.claims import Subject
from deviceflow.core.clock import Clock
from deviceflow.core.grant import Event, Outcome, State
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store import keyspace, scripts
from deviceflow.store.announcements import Decision, announce_decisions
from deviceflow.store.connection import Connection
from deviceflow.store.decision_log import Hint
from deviceflow.store.device_index import DeviceEntry, DeviceIndex
from deviceflow.store.families import family_fields
from deviceflow.store.grant_reader import GrantReader
from deviceflow.store.grant_records import (
    NO_PAGE,
    DecisionPage,
    Grant,
    GrantCodes,
    GrantRequest,
    Redemption,
    RepeatableRedemption,
    request_fields,
)
from deviceflow.store.installation import Installation
from deviceflow.store.mirror import Mirror
from deviceflow.store.new_grants import (
    NewGrants,
    WantedGrant,
    grant_name,
)
from deviceflow.store.records import write_record
from deviceflow.store.shared_trips import SharedTrips
from deviceflow.store.slots import Slots

LOG_ID_LENGTH = 10
"""60 bits: of a million grants, no two have the same name, but for a chance of 1 in 2 million."""


def _ignore(_: int) -> None:
    return None


class Grants(GrantReader):
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
        super().__init__(connection, installation, mirror, slots, clock)
        self._devices = devices
        self.on_push: Callable[[int], None] = _ignore
        self._new = NewGrants(connection, installation, slots)
        self._announcements = SharedTrips(self._push)

    async def issue(
        self, request: GrantRequest, form: UserCodeFormat, lifetime: int, interval: int
    ) -> GrantCodes:
        """Make a grant that lives for `lifetime` s, to be polled every `interval` s."""
        wanted = WantedGrant(
            fields=request_fields(request),
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
        the scope of the grant, so a host of an older version does not grant more either.
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
