"""The Lua scripts: one function for each, whose signature is the script's contract.

Only this package runs scripts. A function takes the keys that its script touches, and they are
all in one hash slot (`keyspace`). Every function may raise StoreUnavailable: then the
script may or may not have run. redis-py repeats a command whose answer was lost, so each
function says what a repetition does.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store.connection import Connection, Value
from deviceflow.store.scripts.lua import source

# Grants


async def create_grant(
    connection: Connection, key: str, fields: Mapping[str, Value], *, expires_at: int, kept_ms: int
) -> bool:
    """Make a pending grant that ends at `expires_at` (s); return whether it is there.

    Its key is kept for `kept_ms` longer. False: another grant has this key. A repetition finds
    the same fields and returns True.
    """
    arguments = (expires_at, kept_ms, *_flat(fields))
    return bool(await connection.evaluate(source("create_grant"), [key], *arguments))


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

    `keys`: the counter of numbers, the grants by minute, the wrong codes by minute, the grants by
    the minute of their end. `minute`: the one that it is now, counted from the epoch, as the
    others; `kept`: how many are kept; `end`: when the new grants end. A repetition takes and
    counts again.
    """
    arguments = (numbers, minute, grants_since, wrong_codes_since, kept, end)
    return SlotCounts(*await connection.evaluate(source("take_slots"), keys, *arguments))


class RedemptionWrites(NamedTuple):
    """What a redemption stores, under the grant's hash tag.

    `family`: the fields of the family of refresh tokens that begins, none for no family. It ends
    at `family_ends_at_ms` unless it is used. `record`: what a repetition needs, for `kept_ms`;
    empty if the redemption cannot be repeated.
    """

    family_key: str
    record_key: str
    family: Mapping[str, Value] = {}
    family_ends_at_ms: int = 0
    record: bytes = b""
    kept_ms: int = 0


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
    approval: str = "",
    redemption: RedemptionWrites | None = None,
) -> Transition:
    """Let `event` happen to a grant if the tables of core/grant.py allow it.

    `account`: the subject that causes it, empty for the operator and the device. `approval`: the
    record of an approval. `redemption`: what is stored in the same step.

    `request_id` is new for each call: a repetition finds it stored and returns the first
    answer. Returns only when enough replicas have the change (`Durability`).
    """
    keys = [key]
    arguments: list[Value] = [event, request_id, account, approval]
    if redemption is not None:
        keys += [redemption.family_key, redemption.record_key]
        arguments += [redemption.family_ends_at_ms, redemption.record, redemption.kept_ms]
        arguments += _flat(redemption.family)
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


# Families of refresh tokens


class RotationKeys(NamedTuple):
    """The family of a refresh token, and what a repetition of its redemption needs."""

    family: str
    redemption: str


class Rotation(NamedTuple):
    """The use of a refresh token. Both tokens as hashes; `jkt`: what the successor is bound to."""

    presented: str
    successor: str
    jkt: str


async def rotate_refresh_token(
    connection: Connection, keys: RotationKeys, rotation: Rotation, *, idle_until_ms: int, kept: int
) -> bool:
    """Give a refresh token a successor; return False if the token may not be used any more.

    The redemption cannot be repeated any more. The newest `kept` unused successors stay good. The
    family ends at `idle_until_ms` unless it is used again. A repetition finds the successor stored
    and returns True, unless that is in use by then. Returns only when enough replicas have the
    change (`Durability`).
    """
    arguments = (*rotation, idle_until_ms, kept)
    return bool(await connection.evaluate_durably(source("rotate_refresh_token"), keys, *arguments))


# Limits


async def hit(
    connection: Connection,
    key: str,
    try_id: str,
    *,
    window_ms: int,
    limit: int,
    longest_delay_ms: int,
) -> int:
    """Count a try unless `limit` are in the window of `window_ms`; return the ms to wait, or 0.

    `longest_delay_ms`: 0 to wait until one leaves the window; otherwise the cap of a pause that
    doubles from one second. A repetition finds its own id and returns 0.
    """
    arguments = (try_id, window_ms, limit, longest_delay_ms)
    return int(await connection.evaluate(source("hit"), [key], *arguments))


async def forgive(connection: Connection, key: str, try_id: str) -> None:
    """Take one try back. A repetition finds it gone."""
    await connection.evaluate(source("forgive"), [key], try_id)


# Settings of the installation


async def install(
    connection: Connection, key: str, proposal: Mapping[str, Value]
) -> dict[bytes, bytes]:
    """Store the secrets in `proposal` if there are none; return those that are stored.

    A repetition returns what the first run stored.
    """
    answer = await connection.evaluate(source("install"), [key], *_flat(proposal))
    return dict(zip(answer[::2], answer[1::2], strict=True))


async def change_client(
    connection: Connection, key: str, client_id: str, *, before: bytes, after: bytes
) -> bool:
    """Replace a client's record; return False if it is not `before` any more.

    An empty record stands for none. A repetition finds `after` stored and returns True.
    """
    answer = await connection.evaluate(source("change_client"), [key], client_id, before, after)
    return bool(answer == b"changed")


async def add_signing_key(
    connection: Connection,
    key: str,
    key_id: str,
    record: bytes,
    *,
    algorithm: str,
    useless: Iterable[bytes],
) -> bool:
    """Add a signing key unless another one of its algorithm signs; return whether it was added.

    `useless`: ids of keys that do not sign, because they were superseded or cannot be read. A
    repetition finds the record that the first run added, and returns True.
    """
    # A record says its algorithm in these words.
    marker = f'"alg":"{algorithm}"'
    arguments: list[Value] = [marker, key_id, record, *useless]
    return bool(await connection.evaluate(source("add_signing_key"), [key], *arguments))


def _flat(fields: Mapping[str, Value]) -> list[Value]:
    """Return fields and values in turns, as HSET takes them."""
    return [part for pair in fields.items() for part in pair]
