"""The script about families of refresh tokens."""

from typing import NamedTuple

from deviceflow.store.connection import Connection
from deviceflow.store.scripts.lua import source


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
