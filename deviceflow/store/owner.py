"""The issuer that a store belongs to, noted beside the secrets of the installation.

Two issuers on one store are one: people of the one approve codes of the other, with passwords of
either. So the first server that starts notes its issuer, and a server of another one does not
start. A version that knows no such field keeps it, and does not look.
"""

from collections.abc import Mapping

from deviceflow.core.store_owner import may_take_over
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordContended, StoreSetupError

_FIELD = "issuer"
_TRIES = 5


class ForeignStoreError(StoreSetupError):
    """The store belongs to another issuer."""

    def __init__(self, noted: str, issuer: str) -> None:
        super().__init__(
            f"the store belongs to the issuer {noted}, and this server is {issuer}, so each would"
            " approve the other's codes; give this server a store of its own, such as another"
            " database of the same Redis (redis://HOST/1), or move the store to this issuer"
            " (deviceflow issuer --move)"
        )


async def noted_issuer(connection: Connection) -> str:
    """Return the issuer of the store, '' if none is noted. May raise StoreUnavailable."""
    value = await connection.command("HGET", keyspace.INSTALLATION, _FIELD)
    return (value or b"").decode()


def issuer_in(fields: Mapping[bytes, bytes]) -> str:
    """Return the issuer in the secrets of an installation, '' if none is noted."""
    return fields.get(_FIELD.encode(), b"").decode()


async def note_issuer(connection: Connection, issuer: str) -> bool:
    """Note the issuer of the store; return whether it was another one, or none, before.

    The secrets are there. May raise ForeignStoreError, StoreUnavailable.
    """
    for _ in range(_TRIES):
        noted = await noted_issuer(connection)
        check_issuer(noted, issuer)
        if noted == issuer:
            return False
        if await _replace(connection, noted, issuer):
            return True
    raise RecordContended("several servers of other issuers are starting on this store")


async def move_to_issuer(connection: Connection, issuer: str) -> str:
    """Make it the store of another issuer; return the issuer before, '' for none.

    May raise StoreSetupError (a server is running), StoreUnavailable.
    """
    if await connection.subscribers(keyspace.CHANNEL):
        raise StoreSetupError("a server is running on this store; stop it on all hosts first")
    noted = await noted_issuer(connection)
    if not await _replace(connection, noted, issuer):
        raise RecordContended("another command has moved this store at the same time")
    return noted


def check_issuer(noted: str, issuer: str) -> None:
    """Check that a server of `issuer` may use the store of `noted`. May raise ForeignStoreError."""
    if not may_take_over(noted, issuer):
        raise ForeignStoreError(noted, issuer)


async def _replace(connection: Connection, before: str, after: str) -> bool:
    return await scripts.change_field(
        connection,
        keyspace.INSTALLATION,
        _FIELD,
        before=before.encode(),
        after=after.encode(),
    )
