"""The cost of checking a password, which unknown names must have too.

The time of an answer must not tell which names exist. Accounts may have hashes with several
parameters: of an earlier version, of another program, of the settings file. So an unknown name is
checked with the parameters of some account. Each set of parameters is as frequent among unknown
names as among accounts, and one name always has the same. So a rare cost is no sign of an account,
and a second look at a name shows nothing new.
"""

import secrets
from base64 import b64encode
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError
from argon2.low_level import Type

from deviceflow.core import base64url
from deviceflow.core.clock import SteadyClock
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.records import RecordKind, read_record

SAMPLE = 1000
"""How many stored accounts tell which parameters hashes have: all, where there are no more."""

BELIEVED_S = 600
"""How long this is believed."""

Naming = Callable[[bytes, bytes], str]
"""A keyed name for a value, as `Installation.name` makes it: no stranger can compute it."""


class _StoredHash(msgspec.Struct, frozen=True):
    """The only part of a record that the sample reads."""

    password_hash: str


class HashCost(NamedTuple):
    """The parameters of a hash, which decide the work of checking it; both lengths in bytes."""

    memory_cost: int
    time_cost: int
    parallelism: int
    salt_len: int
    hash_len: int

    def hash(self) -> str:
        """Make a hash of this cost that no known password has. It takes no work."""
        parameters = f"m={self.memory_cost},t={self.time_cost},p={self.parallelism}"
        salt, digest = map(secrets.token_bytes, (self.salt_len, self.hash_len))
        return f"$argon2id$v=19${parameters}${_base64(salt)}${_base64(digest)}"


class PasswordCosts:
    """The costs of all hashes. Its coroutine may raise StoreUnavailable.

    `from_file`: the hashes of the settings file. `naming`: of this installation, so that all
    workers give a name the same cost.
    """

    def __init__(
        self,
        connection: Connection,
        from_file: Iterable[str],
        naming: Naming,
        steady: SteadyClock,
    ) -> None:
        self._connection = connection
        self._from_file = tuple(from_file)
        self._naming = naming
        self._steady = steady
        self._known: list[tuple[HashCost, int]] = []
        self._until = float("-inf")

    async def decoy(self, username: str, hasher: PasswordHasher) -> str:
        """Make a hash for an unknown name. `hasher`: makes the hashes of new accounts."""
        now = self._steady()
        if now >= self._until:
            self._known = await self._count()
            self._until = now + BELIEVED_S
        digest = base64url.decode(self._naming(b"decoy", username.encode()))
        share = int.from_bytes(digest) / (1 << 8 * len(digest))
        return choose(self._known, share, _cost_of(hasher)).hash()

    async def _count(self) -> list[tuple[HashCost, int]]:
        sample = await self._connection.command("HRANDFIELD", keyspace.USERS, SAMPLE, "WITHVALUES")
        hashes = [*map(_stored_hash, _values(sample)), *self._from_file]
        costs = Counter(cost for each in hashes if (cost := cost_of_hash(each)))
        return sorted(costs.items())


def choose(known: Sequence[tuple[HashCost, int]], share: float, otherwise: HashCost) -> HashCost:
    """Return one of the known costs by a number from 0 to below 1, each as often as it is counted.

    `otherwise`: the cost where none is known.
    """
    if not known:
        return otherwise
    sums = list(accumulate(count for _, count in known))
    return known[bisect_right(sums, share * sums[-1])][0]


def cost_of_hash(password_hash: str) -> HashCost | None:
    """Read the cost of a hash, None if it is no Argon2id hash, and so costs nothing."""
    try:
        found = extract_parameters(password_hash)
    except (InvalidHashError, ValueError):
        return None
    if found.type is not Type.ID:
        return None
    return HashCost(
        found.memory_cost, found.time_cost, found.parallelism, found.salt_len, found.hash_len
    )


def any_name(_purpose: bytes, _value: bytes) -> str:
    """Name a value by chance: for a door to users that checks no passwords of strangers."""
    return secrets.token_urlsafe(12)


def _cost_of(hasher: PasswordHasher) -> HashCost:
    return HashCost(
        hasher.memory_cost,
        hasher.time_cost,
        hasher.parallelism,
        hasher.salt_len,
        hasher.hash_len,
    )


def _stored_hash(record: bytes) -> str:
    try:
        return read_record(record, RecordKind.USER, _StoredHash).password_hash
    except RecordUnreadable:
        return ""


def _base64(data: bytes) -> str:
    """Encode as hashes do: the ordinary alphabet, no padding."""
    return b64encode(data).rstrip(b"=").decode()


def _values(sample: list[Any] | None) -> list[bytes]:
    """Return the values of fields and values, which the store lists in pairs or one by one."""
    fields = sample or []
    if fields and isinstance(fields[0], list):
        return [value for _, value in fields]
    return fields[1::2]
