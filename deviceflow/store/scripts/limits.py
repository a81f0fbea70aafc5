"""The scripts about marks that are taken once, tries that are counted, and starts of grants."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from deviceflow.store.connection import Connection
from deviceflow.store.scripts.lua import source
from deviceflow.store.shapes import Value


async def take(connection: Connection, key: str, mark: str, *expiry: Value) -> bool:
    """Set `key` to `mark` unless it is set already; return whether it is `mark` now.

    `expiry`: as SET takes it. A repetition finds its own mark, so two callers need two marks.
    """
    return bool(await connection.evaluate(source("take"), [key], mark, *expiry))


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
