"""What the fleet does now, in the figures that `deviceflow top`, the API and the console show."""

import msgspec

from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.snapshots import Difference

STORE_IS_REACHABLE = "reachable"
STORE_REFUSES_WRITES = "refuses writes"
STORE_IS_PRESSED = "pressed"
STORE_IS_AWAY = "away"


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of some hosts between two looks, `seconds` apart. Rates are per second.

    `slow_down_part` and `lane_part`: of all polls, None without any. `polls_by_outcome`: the
    largest first. `interval` (s): the longest that a worker asks devices for on average;
    `usual_interval` (s): the same without load. `workers`: those that run.
    """

    at: float
    seconds: float
    pending: int
    live: int
    started: float
    approved: float
    denied: float
    cancelled: float
    redeemed: float
    polls: float
    lane_part: float | None
    slow_down_part: float | None
    polls_by_outcome: dict[str, float]
    interval: float
    usual_interval: float
    held: int
    held_limit: int
    connections: int
    workers: int
    store: str


def fleet(change: Difference) -> Fleet:
    """Read the figures."""
    rate, after = change.rate, change.after
    polls = rate(table.POLLS)
    return Fleet(
        at=after.at,
        seconds=after.at - change.before.at,
        pending=int(after.most(table.GRANTS_PENDING)),
        live=int(after.most(table.GRANTS_LIVE)),
        started=rate(table.GRANTS_ISSUED),
        approved=rate(table.DECIDED, event="approve", outcome="changed"),
        denied=rate(table.DECIDED, event="deny", outcome="changed"),
        cancelled=rate(table.DECIDED, event="cancel", outcome="changed"),
        redeemed=rate(table.REDEMPTIONS, kind="first"),
        polls=polls,
        lane_part=rate(table.POLLS, path="lane") / polls if polls else None,
        slow_down_part=rate(table.POLLS, outcome="slow_down") / polls if polls else None,
        polls_by_outcome=change.rates(table.POLLS, "outcome"),
        interval=after.most(table.LOAD_INTERVAL),
        usual_interval=after.most(table.USUAL_INTERVAL),
        held=int(after.total(table.HELD_POLLS)),
        held_limit=int(after.total(table.HELD_POLLS_LIMIT)),
        connections=int(after.total(table.CONNECTIONS)),
        workers=int(after.total(table.WORKERS)),
        store=_store(change),
    )


def _store(change: Difference) -> str:
    """Describe the store by the worst that a worker says of it."""
    if not min(change.after.values(table.STORE_REACHABLE), default=0):
        return STORE_IS_AWAY
    is_writable = min(change.after.values(table.STORE_WRITABLE), default=0)
    if not is_writable:
        return STORE_REFUSES_WRITES
    is_paused = max(change.after.values(table.STARTS_PAUSED), default=0)
    return STORE_IS_PRESSED if is_paused else STORE_IS_REACHABLE
