"""Sealing every key in the store by the envelope key, or taking the seals off."""

from deviceflow.store.announcements import announce_change
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordContended
from deviceflow.store.installation import Installation
from deviceflow.store.key_sets import KEYS_IN_SET
from deviceflow.store.signing_keys import SigningKeys

_TRIES = 5


async def seal_all(
    connection: Connection,
    installation: Installation,
    signing_keys: SigningKeys,
    *,
    is_sealed: bool,
) -> int:
    """Store all keys again, sealed by the first envelope key or not at all; return how many.

    A repetition does the rest of an interrupted run. Every worker then reads the keys again. May
    raise StoreUnavailable, RecordContended and EnvelopeError.
    """
    for _ in range(_TRIES):
        # The installation first: signing keys that are made from then on follow it.
        if await installation.store_again(connection, is_sealed=is_sealed):
            break
        await installation.take_changes(connection)
    else:
        raise RecordContended("the keys of the installation were changed by others again and again")
    count = await signing_keys.store_again()
    await announce_change(connection)
    return count + KEYS_IN_SET * len(installation.keys.sets)
