"""The marks that end a person's sessions and devices (`core.account_marks`), in the store.

They are beside the accounts and not in them, because an account of the file has a mark, too, and
must stay as the file has it. Both are read in one round trip: their keys share a hash slot.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from deviceflow.core.account_marks import AccountMarks
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.shapes import Command


class AccessKind(StrEnum):
    """What a person has access with. The value is the beginning of its field in the hash."""

    SESSIONS = "s:"
    DEVICES = "d:"


EVERYTHING = (AccessKind.SESSIONS, AccessKind.DEVICES)


def reading(usernames: Sequence[str]) -> Command:
    """Return the command that reads the marks of accounts, for `marks_in`."""
    return "HMGET", keyspace.ACCOUNT_MARKS, *_fields(usernames)


def marks_in(answer: Sequence[bytes | None]) -> list[AccountMarks]:
    """Return the marks in the answer to `reading`, in the order of the names."""
    values = [int(value or 0) for value in answer]
    pairs = zip(values[::2], values[1::2], strict=True)
    return [AccountMarks(sessions, devices) for sessions, devices in pairs]


async def end_until_now(
    connection: Connection, username: str, ended: Iterable[AccessKind]
) -> AccountMarks:
    """End what an account has until now; return its marks. May raise StoreUnavailable.

    Every worker refuses it from the next request on. Returns only when enough replicas have the
    marks (`Durability`).
    """
    fields = [f"{access}{username}" for access in ended]
    marks = await scripts.mark_account(
        connection, keyspace.ACCOUNT_MARKS, fields, shown=_fields([username])
    )
    return marks_in(marks)[0]


async def forget_marks(connection: Connection, username: str) -> None:
    """Forget the marks of an account that is gone: its subject never comes back."""
    await connection.command("HDEL", keyspace.ACCOUNT_MARKS, *_fields([username]))


def _fields(usernames: Iterable[str]) -> list[str]:
    return [f"{access}{username}" for username in usernames for access in EVERYTHING]
