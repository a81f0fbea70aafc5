"""The Lua scripts: one function for each, whose signature is the script's contract.

Only this package runs scripts. A function takes the keys that its script touches, and they are
all in one hash slot (`keyspace`). Every function may raise StoreUnavailable: then the
script may or may not have run. redis-py repeats a command whose answer was lost, so each
function says what a repetition does.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store.connection import Connection
from deviceflow.store.scripts.lua import source
from deviceflow.store.shapes import Value

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

    `claims`: the account claims the grant in the same step, if no account has.
    """

    record: str = ""
    scope: str | None = None
    claims: bool = False


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
        arguments += [approval.scope or "", "claim" if approval.claims else ""]
    if redemption is not None:
        keys += [redemption.family_key, redemption.record_key, redemption.living_key]
        arguments += [redemption.family_ends_at_ms, redemption.record, redemption.kept_ms]
        arguments += [redemption.lives_until_ms, *_flat(redemption.family)]
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
    """The family of a refresh token, what a repetition of its redemption needs, and whose it is.

    The last is kept for an access token that outlives the family.
    """

    family: str
    redemption: str
    living: str


class Rotation(NamedTuple):
    """The use of a refresh token. Both tokens as hashes; `jkt`: what the successor is bound to."""

    presented: str
    successor: str
    jkt: str


class Use(NamedTuple):
    """When a refresh token is used (s), and what else is noted with that.

    `listed_at`: when the device was listed anew (s), 0 if it was not. `lives_until_ms`: as in
    `RedemptionWrites`. `sub`: whose token it is.
    """

    at: int
    listed_at: int
    lives_until_ms: int
    sub: str


async def rotate_refresh_token(
    connection: Connection,
    keys: RotationKeys,
    rotation: Rotation,
    use: Use,
    *,
    idle_until_ms: int,
    kept: int,
) -> bool:
    """Give a refresh token a successor; return False if the token may not be used any more.

    The redemption cannot be repeated any more. The newest `kept` unused successors stay good. The
    family ends at `idle_until_ms` unless it is used again. A repetition finds the successor stored
    and returns True, unless that is in use by then. Returns only when enough replicas have the
    change (`Durability`).
    """
    arguments = (*rotation, idle_until_ms, kept, *use)
    return bool(await connection.evaluate_durably(source("rotate_refresh_token"), keys, *arguments))


# Devices of people


class DeviceKeys(NamedTuple):
    """The devices of a person: the records by name, and the names by approval and by end."""

    records: str
    by_age: str
    by_end: str


class DeviceListing(NamedTuple):
    """A device, and until when it is listed. Times in ms."""

    name: str
    record: bytes
    approved_at_ms: int
    until_ms: int


async def list_device(
    connection: Connection, keys: DeviceKeys, listing: DeviceListing, *, swept: int
) -> None:
    """List a device, or list it until a later time. Up to `swept` that have ended are removed.

    The record of a device that is listed already stays as it is. A repetition changes nothing.
    Returns only when enough replicas have the change (`Durability`).
    """
    await connection.evaluate_durably(source("list_device"), keys, *listing, swept)


class DeviceState(NamedTuple):
    """What a device has. All are empty where there is nothing.

    `state`, `expires` (s), `account` and `approved` (ms): of its grant. `family`: the record, and
    `used` (s). `living`: the subject whose access token lives without a family, for `living_ms`.
    """

    state: bytes
    expires: bytes
    account: bytes
    approved: bytes
    family: bytes
    used: bytes
    living: bytes
    living_ms: int


async def read_device(connection: Connection, keys: Sequence[str]) -> DeviceState:
    """Return what a device has. `keys`: its grant, its family, its access token without a family.

    It changes nothing, so a repetition does no harm.
    """
    return DeviceState(*await connection.evaluate(source("read_device"), keys))


# Marks


async def take(connection: Connection, key: str, mark: str, *expiry: Value) -> bool:
    """Set `key` to `mark` unless it is set already; return whether it is `mark` now.

    `expiry`: as SET takes it. A repetition finds its own mark, so two callers need two marks.
    """
    return bool(await connection.evaluate(source("take"), [key], mark, *expiry))


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


# Starts


class StartTimes(NamedTuple):
    """The time of starts. `end`: the minute in which their grants end, counted as `minute`.

    `refill_us`: what an empty bucket refills in. `kept_s`: how long the client's count is kept.
    """

    now_us: int
    refill_us: int
    minute: int
    end: int
    kept_s: int


async def admit_starts(
    connection: Connection,
    keys: Sequence[str],
    times: StartTimes,
    limits: Sequence[int],
    starts: Iterable[tuple[int, int]],
) -> list[tuple[int, int]]:
    """Count those starts of a client that no limit refuses.

    `keys`: what the client has started, then the buckets of networks and addresses. `limits`: of
    the client, a network, an address, and live grants; 0 for none. `starts`: the places of each
    one's network (0 for none) and address in `keys`, counted from 1. Return for each the number of
    the limit that refuses it (0 for none), and the us to wait. A repetition counts again.
    """
    places = [place for start in starts for place in start]
    arguments = (*times, *limits, *places)
    answer = await connection.evaluate(source("admit_starts"), keys, *arguments)
    return list(zip(answer[::2], answer[1::2], strict=True))


# Settings of the installation


async def install(
    connection: Connection, key: str, proposal: Mapping[str, Value]
) -> dict[bytes, bytes]:
    """Store the secrets in `proposal` if there are none; return those that are stored.

    A repetition returns what the first run stored.
    """
    answer = await connection.evaluate(source("install"), [key], *_flat(proposal))
    return dict(zip(answer[::2], answer[1::2], strict=True))


async def change_installation(
    connection: Connection,
    key: str,
    *,
    before: Mapping[bytes, bytes],
    after: Mapping[bytes, bytes],
) -> bool:
    """Replace the secrets; return False if they are not `before` any more.

    A repetition finds `after` stored and returns True. Returns only when enough replicas have the
    change (`Durability`): what is made with new secrets would be lost with them.
    """
    fields = [part for pair in sorted(before.items()) for part in pair]
    changed = [part for pair in sorted(after.items()) for part in pair]
    arguments: list[Value] = [len(fields), *fields, *changed]
    return bool(await connection.evaluate_durably(source("change_installation"), [key], *arguments))


async def change_client(
    connection: Connection, key: str, client_id: str, *, before: bytes, after: bytes
) -> bool:
    """Replace a client's record; return False if it is not `before` any more.

    An empty record stands for none. A repetition finds `after` stored and returns True.
    """
    answer = await connection.evaluate(source("change_client"), [key], client_id, before, after)
    return bool(answer == b"changed")


async def note_client(
    connection: Connection, keys: Sequence[str], client_id: str, *, kept: int, kept_s: int
) -> int:
    """Count a change of one client, and note which one; return the revision.

    `keys`: the revision, and the changes by revision, of which the newest `kept` stay for `kept_s`
    s. A repetition counts another change of the same client.
    """
    arguments = (client_id, kept, kept_s)
    return int(await connection.evaluate(source("note_client"), keys, *arguments))


async def mark_account(
    connection: Connection, key: str, fields: Sequence[str], *, shown: Sequence[str]
) -> list[bytes | None]:
    """Give `fields` the time of now (ms) as a new mark, higher than the last; return `shown`.

    A repetition gives later marks, and returns those. Returns only when enough replicas have the
    change (`Durability`).
    """
    arguments: list[Value] = [len(fields), *fields, *shown]
    return list(await connection.evaluate_durably(source("mark_account"), [key], *arguments))


class ClientKeys(NamedTuple):
    """The hash of clients, and the entries of their names."""

    clients: str
    names: str


class ClientVersion(NamedTuple):
    """A client's record and its folded name, each empty for none."""

    record: bytes = b""
    name: str = ""


async def change_named_client(
    connection: Connection,
    keys: ClientKeys,
    client_id: str,
    *,
    before: ClientVersion,
    after: ClientVersion,
    is_own_name: bool,
) -> Literal["changed", "stale", "taken"]:
    """Replace a client and the entry of its name in one step.

    stale: the client is not `before` any more. taken: another client has the name of `after`, and
    `is_own_name` forbids that. A repetition finds `after` stored and returns "changed".
    """
    arguments = (client_id, before.record, after.record, before.name, after.name, int(is_own_name))
    answer = await connection.evaluate(source("change_named_client"), keys, *arguments)
    return cast('Literal["changed", "stale", "taken"]', answer.decode())


class NameMending(NamedTuple):
    """A client as it was read, empty for none, and the entries to remove and to add."""

    client_id: bytes
    record: bytes = b""
    wrong: bytes = b""
    right: bytes = b""


async def mend_client_names(
    connection: Connection, keys: ClientKeys, mendings: Iterable[NameMending]
) -> None:
    """Mend entries of those clients that have not changed meanwhile.

    A repetition changes nothing more.
    """
    arguments = [value for mending in mendings for value in mending]
    await connection.evaluate(source("mend_client_names"), keys, *arguments)


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


# Export


class KeyRead(NamedTuple):
    """A key as it is. `kind`: as TYPE tells it. `lives_ms`: negative for a key without a TTL."""

    kind: str
    lives_ms: int
    value: Any


async def read_key(connection: Connection, key: str) -> KeyRead:
    """Return a string, a hash or a sorted set whole; of kind `none` if it has ended.

    It changes nothing, so a repetition does no harm.
    """
    kind, lives_ms, value = await connection.evaluate(source("read_key"), [key])
    return KeyRead(kind.decode(), lives_ms, value)


def _flat(fields: Mapping[str, Value]) -> list[Value]:
    """Return fields and values in turns, as HSET takes them."""
    return [part for pair in fields.items() for part in pair]
