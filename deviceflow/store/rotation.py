"""New keys for an installation, while everything goes on.

All workers know the new keys for some seconds before anything is made with them. So no worker ever
meets a device code, a name or a form of keys that it does not know. From then on the old keys only
serve what was made with them, for the overlap. Which names are made with which key is in
`Installation.name` and `hidden_name` (docs/decisions/0044).
"""

import asyncio
from collections.abc import Awaitable, Callable

from deviceflow.core.clock import Clock
from deviceflow.store.announcements import announce_change
from deviceflow.store.connection import Connection
from deviceflow.store.errors import RecordContended
from deviceflow.store.factors import FactorStore
from deviceflow.store.installation import Installation

LEAD_S = 5
"""New keys serve after this time. Workers hear of them at once, or within a second from the
store; the rest is for hosts whose clocks differ, by a second at most."""

OVERLAP_S = 86_400
"""How long the old keys serve by default: no grant lives longer."""


class RotationUnderWayError(Exception):
    """The keys of the last rotation do not serve yet. The text is a line for the operator."""


async def rotate_keys(
    connection: Connection, installation: Installation, overlap_s: int, clock: Clock
) -> int:
    """Store new keys, and announce them; return the time at which they begin to serve, in s.

    The secrets that old keys have encrypted are encrypted again before those keys are left out. May
    raise StoreUnavailable, RecordContended and RotationUnderWayError.
    """
    now = int(clock())
    newest = installation.keys.sets[0]
    if newest.since > now:
        raise RotationUnderWayError(
            f"the keys of the last rotation serve in {newest.since - now} s; try again then"
        )
    await FactorStore(connection, installation).encrypt_again()
    since = now + LEAD_S
    if not await installation.rotate(connection, since, overlap_s):
        raise RecordContended("the keys of the installation were changed by another command")
    await announce_change(connection)
    return since


async def finish_rotation(
    connection: Connection,
    installation: Installation,
    clock: Clock,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> int:
    """Encrypt again what the old keys have encrypted, once the new ones serve; return how much.

    If it does not come to this, the next rotation does it. May raise StoreUnavailable.
    """
    since = installation.keys.sets[0].since
    await wait(max(0.0, since + 1 - clock()))
    return await FactorStore(connection, installation).encrypt_again()
