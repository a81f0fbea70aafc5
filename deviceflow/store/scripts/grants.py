"""The scripts about grants: made, changed by an event, redeemed once more."""

from asyncio import gather
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store.connection import Connection, ScriptCall
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.scripts.lua import source
from deviceflow.store.scripts.values import flat
from deviceflow.store.shapes import Command, Value


class NewGrant(NamedTuple):
    """A grant to be made. `mark`: what its user code leads to. `expires_at` in s.

    Its keys are kept for `kept_ms` longer. `code_key` is in another hash slot than `key`.
    """

    key: str
    code_key: str
    mark: str
    fields: Mapping[str, Value]
    expires_at: int
    kept_ms: int


async def create_grant(connection: Connection, grant: NewGrant) -> bool:
    """Make a pending grant; return whether both of its keys are its own now.

    A repetition finds the same mark and the same fields, and returns True.
    """
    return await _is_made(connection, grant, *await connection.run_each(*_calls(grant)))


async def create_grants(
    connection: Connection, grants: Sequence[NewGrant]
) -> Sequence[bool | BaseException]:
    """Make several of them, in one round trip to one server; return what became of each.

    May raise StoreUnavailable, for all of them. Any other failure is that of the grants whose
    commands cannot be sent or run.
    """
    if len(grants) == 1:
        return [await create_grant(connection, grants[0])]
    calls = [call for grant in grants for call in _calls(grant)]
    try:
        answers = await connection.run_each(*calls)
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001, each grant says by itself whether it is the reason
        each = (create_grant(connection, grant) for grant in grants)
        return await gather(*each, return_exceptions=True)
    pairs = zip(grants, answers[::2], answers[1::2], strict=True)
    return [await _is_made(connection, *pair) for pair in pairs]


def _calls(grant: NewGrant) -> tuple[Command, ScriptCall]:
    until_ms = grant.expires_at * 1000 + grant.kept_ms
    return (
        # A third of the CPU time that the script `take` costs the store.
        ("SET", grant.code_key, grant.mark, "NX", "PXAT", until_ms),
        ScriptCall(
            source("create_grant"),
            (grant.key,),
            (grant.expires_at, grant.kept_ms, *flat(grant.fields)),
        ),
    )


async def _is_made(connection: Connection, grant: NewGrant, is_set: object, is_own: object) -> bool:
    """Return whether both keys are the grant's, from what the store answered to `_calls`."""
    if is_set is None:
        # The key was there: of an earlier success, or of another grant.
        is_set = await connection.command("GET", grant.code_key) == grant.mark.encode()
    return bool(is_set and is_own)


class SlotCounts(NamedTuple):
    """The last number that was taken, and the grants and wrong codes since the given minutes."""

    last: int
    grants: int
    wrong_codes: int


async def take_slots(
    connection: Connection,
    keys: Sequence[str],
    numbers: int,
    *,
    minute: int,
    grants_since: int,
    wrong_codes_since: int,
    kept: int,
    end: int,
) -> SlotCounts:
    """Take `numbers` slot numbers (0 to take none), count as many grants, and return the counts.

    `keys`: the counter of numbers, the number before each minute, the wrong codes by minute, the
    grants by the minute of their end. `minute`: the one that it is now, counted from the epoch, as
    the others; `kept`: how many are kept; `end`: when the new grants end. A repetition takes and
    counts again.
    """
    arguments = (numbers, minute, grants_since, wrong_codes_since, kept, end)
    return SlotCounts(*await connection.evaluate(source("take_slots"), keys, *arguments))


class RedemptionWrites(NamedTuple):
    """What a redemption stores, under the grant's hash tag.

    `family`: the fields of the family of refresh tokens that begins, none for no family. It ends
    at `family_ends_at_ms` unless it is used. `record`: what a repetition needs, for `kept_ms`;
    empty if the redemption cannot be repeated. `lives_until_ms`: when an access token ends that
    outlives the family; 0 for none.
    """

    family_key: str
    record_key: str
    living_key: str
    family: Mapping[str, Value] = {}
    family_ends_at_ms: int = 0
    record: bytes = b""
    kept_ms: int = 0
    lives_until_ms: int = 0


class ApprovalWrites(NamedTuple):
    """What a decision stores: the record of an approval, and the scope if that is not all.

    `claims`: the account claims the grant in the same step, if no account has. `language`: the tag
    of the page, empty if that is not known.
    """

    record: str = ""
    scope: str | None = None
    claims: bool = False
    language: str = ""


NO_APPROVAL = ApprovalWrites()


class Transition(NamedTuple):
    """What became of an event. `state`: the grant's from now on, None if there is no grant."""

    outcome: Outcome
    state: State | None


async def transition(
    connection: Connection,
    key: str,
    event: Event,
    *,
    request_id: str,
    account: str = "",
    approval: ApprovalWrites = NO_APPROVAL,
    redemption: RedemptionWrites | None = None,
) -> Transition:
    """Let `event` happen to a grant if the tables of core/grant.py allow it.

    `account`: the subject that causes it, empty for the operator and the device. `approval` and
    `redemption`: what is stored in the same step.

    `request_id` is new for each call: a repetition finds it stored and returns the first
    answer. Returns only when enough replicas have the change (`Durability`).
    """
    keys = [key]
    arguments: list[Value] = [event, request_id, account, approval.record]
    if event in {Event.APPROVE, Event.DENY}:
        arguments += [approval.scope or "", "claim" if approval.claims else "", approval.language]
    if redemption is not None:
        keys += [redemption.family_key, redemption.record_key, redemption.living_key]
        arguments += [redemption.family_ends_at_ms, redemption.record, redemption.kept_ms]
        arguments += [redemption.lives_until_ms, *flat(redemption.family)]
    outcome, state = await connection.evaluate_durably(source("transition"), keys, *arguments)
    return Transition(Outcome(outcome.decode()), State(state.decode()) if state else None)


async def repeat_redemption(connection: Connection, key: str) -> bytes | None:
    """Return what a redemption stored for its repetition, or None if there is nothing any more.

    A repetition returns the same. Returns only when enough replicas have the redemption
    (`Durability`).
    """
    replicas = connection.durability.replicas
    record: bytes | None = await connection.evaluate_durably(
        source("repeat_redemption"), [key], replicas
    )
    return record
