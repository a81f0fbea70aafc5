"""The scripts about what an installation has: its keys, clients, accounts and signing keys."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, cast

from deviceflow.store.connection import Connection
from deviceflow.store.scripts.lua import source
from deviceflow.store.scripts.values import flat
from deviceflow.store.shapes import Value


async def install(
    connection: Connection, key: str, proposal: Mapping[str, Value]
) -> dict[bytes, bytes]:
    """Store the secrets in `proposal` if there are none; return those that are stored.

    A repetition returns what the first run stored.
    """
    answer = await connection.evaluate(source("install"), [key], *flat(proposal))
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
