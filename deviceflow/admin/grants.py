"""What operators do with a grant: find it by its user code, approve, deny or cancel it.

The rules are those of the pages, `core/grant.py`: a grant is approved or denied by the account that
has claimed it, and no other. Every decision may be sent again and is acknowledged once more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec
import structlog

from deviceflow.audit.events import DECISION_EVENTS, by_token
from deviceflow.audit.journal import Audit
from deviceflow.core.claims import Subject
from deviceflow.core.client import scope_tokens
from deviceflow.core.clients import Clients
from deviceflow.core.clock import Clock
from deviceflow.core.grant import Event, Outcome, State
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.store.admitted_people import AdmittedPeople
from deviceflow.store.errors import SubjectTaken
from deviceflow.store.grant_records import Grant, RecentDecision
from deviceflow.store.grants import Grants

log = structlog.get_logger()

_ENDS = {
    Event.APPROVE: State.APPROVED,
    Event.DENY: State.DENIED,
    Event.CANCEL: State.CANCELLED,
}


class DecisionRefusal(StrEnum):
    """Why an operator's request changes nothing."""

    NOT_FOUND = "not_found"
    EXPIRED = "expired"
    CLAIMED = "claimed_by_another"
    DECIDED = "already_decided"
    CLIENT_DISABLED = "client_disabled"
    SCOPE = "invalid_scope"
    USER_DISABLED = "user_disabled"
    SUBJECT_TAKEN = "subject_taken"


class Refused(Exception):  # noqa: N818, it states a condition, not a mistake
    """Nothing has changed. `grant`: as it is now, None if it is not known."""

    def __init__(self, refusal: DecisionRefusal, grant: Grant | None = None) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.grant = grant


class _Order(NamedTuple):
    """What an operator wants for a grant: for whom, and with which scope in place of the requested.

    `operator`: the name of the token. `subject`: None for a cancellation.
    """

    event: Event
    operator: str
    subject: Subject | None = None
    scope: str = ""


@dataclass(frozen=True, kw_only=True)
class GrantDesk:
    """Finds and decides grants for operators. Its coroutines may raise StoreUnavailable.

    `read_code` lists the user codes that a typed text may stand for. `enabled_by_default`: whether
    clients may use the grant that do not say so themselves.
    """

    grants: Grants
    people: AdmittedPeople
    clients: Clients
    read_code: Callable[[str], list[str]]
    recorder: Recorder
    clock: Clock
    audit: Audit
    enabled_by_default: bool = True

    async def find(self, text: str) -> Grant:
        """Return the unexpired grant of a user code as a person types it. May raise Refused.

        A code that leads nowhere counts as a guess: many of them lengthen the codes of new grants.
        """
        for code in self.read_code(text):
            grant = await self.grants.find(code)
            if grant is not None:
                return grant
        raise Refused(DecisionRefusal.NOT_FOUND)

    async def get(self, grant_id: int) -> Grant:
        """Return a grant, also in the minute after its end. May raise Refused."""
        grant = await self.grants.get(grant_id)
        if grant is None:
            raise Refused(DecisionRefusal.NOT_FOUND)
        return grant

    async def recent(self, count: int) -> list[RecentDecision]:
        """Return the newest decisions, over all hosts, from at most `count` entries of the log."""
        return await self.grants.recent(count)

    async def approve(
        self, grant_id: int, subject: Subject, scope: str, operator: str, language: str = ""
    ) -> Grant:
        """Approve for a person; return the grant as it is then. May raise Refused.

        `scope`: a part of the requested one, empty for all of it. `language`: the person's.
        """
        grant = await self.get(grant_id)
        granted = " ".join(scope_tokens(scope))
        self._check(grant, subject, granted)
        # Last: a refused approval must not add a user.
        admitted = await self._admit(subject)
        if admitted is None:
            raise Refused(DecisionRefusal.USER_DISABLED, grant)
        outcome = await self.grants.claim_and_decide(
            grant, Event.APPROVE, admitted, granted, language
        )
        return await self._end(grant, _Order(Event.APPROVE, operator, admitted, granted), outcome)

    async def deny(self, grant_id: int, sub: str, operator: str) -> Grant:
        """Deny for a person; return the grant as it is then. May raise Refused."""
        grant = await self.get(grant_id)
        subject = Subject(sub=sub, username="", auth_time=0)
        outcome = await self.grants.claim_and_decide(grant, Event.DENY, subject)
        return await self._end(grant, _Order(Event.DENY, operator, subject), outcome)

    async def cancel(self, grant_id: int, operator: str) -> Grant:
        """Cancel a grant, claimed or not; return it as it is then. May raise Refused."""
        grant = await self.get(grant_id)
        outcome = await self.grants.decide(grant, Event.CANCEL)
        return await self._end(grant, _Order(Event.CANCEL, operator), outcome)

    def _check(self, grant: Grant, subject: Subject, scope: str) -> None:
        """Check what the script does not check, or what it need not be asked. May raise Refused."""
        client = self.clients.find(grant.client_id)
        by_default = self.enabled_by_default
        if not (client and client.enabled and client.uses_device_grant(by_default=by_default)):
            raise Refused(DecisionRefusal.CLIENT_DISABLED, grant)
        if self.clock() >= grant.expires_at:
            raise Refused(DecisionRefusal.EXPIRED, grant)
        if grant.state is not State.PENDING:
            return
        if grant.claimed_by not in {None, subject.sub}:
            raise Refused(DecisionRefusal.CLAIMED, grant)
        if not {*scope.split()} <= {*grant.scope.split()}:
            raise Refused(DecisionRefusal.SCOPE, grant)

    async def _admit(self, subject: Subject) -> Subject | None:
        try:
            return await self.people.admit(subject)
        except SubjectTaken as error:
            raise Refused(DecisionRefusal.SUBJECT_TAKEN) from error

    async def _end(self, grant: Grant, order: _Order, outcome: Outcome) -> Grant:
        """Log and count what became of a decision, and return the grant as it is now."""
        self.recorder.count(table.DECIDED, order.event, outcome)
        log.info(
            "grant.decided",
            grant=self.grants.log_id(grant.id),
            wanted=order.event,
            outcome=outcome,
            client_id=grant.client_id,
            operator=order.operator,
        )
        match outcome:
            case Outcome.CHANGED:
                if grant.state is not _ENDS[order.event]:  # it was not sent again
                    self._record(grant, order)
                return self._changed(grant, order)
            case Outcome.CLAIMED:
                raise Refused(DecisionRefusal.CLAIMED, grant)
            case Outcome.EXPIRED:
                raise Refused(DecisionRefusal.EXPIRED, grant)
            case Outcome.MISSING:
                raise Refused(DecisionRefusal.NOT_FOUND)
        now = await self.get(grant.id)
        if order.event is Event.APPROVE and _is_redeemed_for(now, order.subject):
            # The approval was sent again after its answer was lost, and the device was faster.
            return now
        raise Refused(DecisionRefusal.DECIDED, now)

    def _record(self, grant: Grant, order: _Order) -> None:
        self.audit.record(
            DECISION_EVENTS[order.event],
            grant=self.grants.log_id(grant.id),
            client_id=grant.client_id,
            sub=order.subject.sub if order.subject else "",
            by=by_token(order.operator),
        )

    def _changed(self, grant: Grant, order: _Order) -> Grant:
        """Return the grant after a decision, without another look at the store."""
        state, subject = _ENDS[order.event], order.subject
        if grant.state is state:
            return grant  # it was sent again
        changed = msgspec.structs.replace(grant, state=state)
        if subject is None:
            return changed
        changed = msgspec.structs.replace(changed, claimed_by=subject.sub)
        if order.event is not Event.APPROVE:
            return changed
        scope = order.scope or grant.scope
        return msgspec.structs.replace(
            changed, approval=subject, approved_at=self.clock(), scope=scope
        )


def _is_redeemed_for(grant: Grant, subject: Subject | None) -> bool:
    if grant.state is not State.REDEEMED or grant.approval is None or subject is None:
        return False
    return grant.approval.sub == subject.sub
