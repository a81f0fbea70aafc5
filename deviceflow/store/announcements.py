"""The push messages that all workers receive: a grant's decision, and a change.

A change concerns clients or signing keys. A number in the store, the revision, grows with it:
workers read the revision once a second, in case a message is lost. Which client has changed with a
revision is noted beside it. So a worker that has missed some changes, or hears of them in another
order, reads these clients again and not all of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from deviceflow.core.grant import State
from deviceflow.store import keyspace, scripts
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable

log = structlog.get_logger()

CONSEQUENCES = {
    keyspace.CHANNEL: "decisions and changes arrive within a second, not at once",
    keyspace.HOLDS: "an older poll that another worker holds is not ended by a newer one",
    keyspace.PACE: "a device that polls several hosts in turn may poll too fast",
}
"""What it means, for operators, that messages of a channel do not arrive."""

CHANGES_KEPT = 1000
"""How many changes of clients are noted. A worker that has missed more reads all clients again."""

_KEPT_FOR_S = 86_400

CHANGED = b"changed"
"""The message that clients or keys have changed."""


class ClientChange(NamedTuple):
    """One client has changed, and nothing else since the revision before `revision`."""

    revision: int
    client_id: str

    @property
    def message(self) -> str:
        """The change as the channel carries it. A client id has no spaces."""
        return f"client {self.revision} {self.client_id}"

    @classmethod
    def parse(cls, message: bytes) -> "ClientChange | None":
        """Return the change in a message, or None if the message has another form."""
        try:
            kind, revision, client_id = message.decode().split(" ")
            return cls(int(revision), client_id) if kind == "client" else None
        except ValueError:
            return None


class Decision(NamedTuple):
    """What happened to a grant. `expires_at`: when the grant ends, in s."""

    grant_id: int
    state: State
    expires_at: int

    @property
    def message(self) -> str:
        """The decision as the channel carries it."""
        return f"{self.grant_id:x} {self.state} {self.expires_at}"

    @classmethod
    def parse(cls, message: bytes) -> "Decision | None":
        """Return the decision in a message, or None if the message has another form."""
        try:
            grant_id, state, expires_at = message.split()
            return cls(int(grant_id, 16), State(state.decode()), int(expires_at))
        except ValueError:
            return None


async def announce_decisions(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Push decisions to every worker.

    They are stored and in the log, so a message may fail without harm.
    """
    await push(connection, *(decision.message for decision in decisions))


async def announce_change(connection: Connection) -> None:
    """Have every worker read clients and keys again. May raise StoreUnavailable.

    A repetition makes them read once more, which changes nothing.
    """
    await connection.command("INCR", keyspace.REVISION)
    await push(connection, CHANGED)


async def announce_client(connection: Connection, client_id: str) -> None:
    """Have every worker read one client again. May raise StoreUnavailable."""
    keys = keyspace.REVISION, keyspace.CHANGED_CLIENTS
    revision = await scripts.note_client(
        connection, keys, client_id, kept=CHANGES_KEPT, kept_s=_KEPT_FOR_S
    )
    await push(connection, ClientChange(revision, client_id).message)


async def changed_clients(connection: Connection, after: int, until: int) -> list[str] | None:
    """Return which clients have changed since the revision `after`, each once.

    None: something else has changed, too, or it is no longer known. May raise StoreUnavailable.
    """
    number = until - after
    if not 0 < number <= CHANGES_KEPT:
        return None
    entries = await connection.command(
        "ZRANGE", keyspace.CHANGED_CLIENTS, after + 1, until, "BYSCORE"
    )
    # A change of another kind, or by an older version, leaves no entry.
    if len(entries) != number:
        return None
    return list(dict.fromkeys(entry.decode().partition(" ")[2] for entry in entries))


async def push(
    connection: Connection, *messages: str | bytes, channel: str = keyspace.CHANNEL
) -> None:
    """Push messages. A failure does not reach the caller.

    A refusal (a user without the right to this channel) is logged once. The feed logs that a store
    is away.
    """
    try:
        await connection.publish(channel, *messages)
    except StoreUnavailable as error:
        if str(error) != "NOPERM":
            return
        if channel not in connection.refused_channels:
            log.warning(
                "store.push_refused",
                channel=channel,
                reason=str(error.__cause__),
                consequence=CONSEQUENCES[channel],
            )
        connection.refused_channels.add(channel)
    else:
        connection.refused_channels.discard(channel)
