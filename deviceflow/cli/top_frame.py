"""What `deviceflow top` shows: one frame, as lines of text."""

from collections.abc import Iterable, Iterator, Mapping
from time import gmtime, strftime

from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.fleet import Fleet, fleet
from deviceflow.ops.metrics.metric import Metric
from deviceflow.ops.metrics.snapshots import Difference

CLIENTS_SHOWN = 5
_NAME = 10
_WIDE = 21
_CLIENT_COLUMNS = (
    ("tokens/s", table.CLIENT_TOKENS),
    ("grants/s", table.CLIENT_GRANTS),
    ("too fast/s", table.CLIENT_SLOW_DOWNS),
    ("not valid/s", table.CLIENT_INVALID_GRANTS),
    ("refused/s", table.CLIENT_REFUSALS),
)


def frame(change: Difference, away: Mapping[str, str]) -> list[str]:
    """Return the lines. `away`: the hosts that did not answer, and why."""
    lines = [
        *_head(change),
        "",
        *_devices(change),
        *_store(change),
        *_answers(change),
        "",
        *_workers(change),
        *(f"{host:<{_WIDE}} away: {reason}" for host, reason in away.items()),
    ]
    clients = list(_clients(change))
    return [*lines, "", *clients] if clients else lines


def _head(change: Difference) -> Iterator[str]:
    after = change.after
    hosts, workers = len(after.seen(table.WORKERS, "host")), after.total(table.WORKERS)
    versions = ", ".join(sorted(set(after.seen(table.BUILD_INFO, "version")))) or "?"
    clock = strftime("%Y-%m-%d %H:%M:%S UTC", gmtime(after.at))
    yield f"deviceflow {versions}   hosts {hosts}   workers {workers:.0f}   {clock}"


def _devices(change: Difference) -> Iterator[str]:
    rate, now = change.rate, fleet(change)
    yield _line(
        "grants",
        f"pending {now.pending:,}",
        f"live {now.live:,}",
        f"started {_rate(now.started)}",
        f"approved {_rate(now.approved)}",
        f"denied {_rate(now.denied)}",
    )
    yield _line(
        "polls",
        _rate(now.polls),
        f"lane {_part(now.lane_part)}",
        f"slow_down {_part(now.slow_down_part)}",
        _interval(now),
        f"held {now.held:,} of {now.held_limit:,}",
    )
    outcomes = now.polls_by_outcome
    if outcomes:
        yield _line("", *(f"{outcome} {_rate(each)}" for outcome, each in outcomes.items()))
    yield _line(
        "tokens",
        f"redeemed {_rate(now.redeemed)}",
        f"again {_rate(rate(table.REDEMPTIONS, kind='repeated'))}",
        f"refreshed {_rate(rate(table.REFRESHES, outcome=table.TOKENS))}",
        f"after approval {_quantiles(change, table.APPROVAL_TO_TOKEN)}",
    )


def _interval(now: Fleet) -> str:
    interval = f"interval {now.interval:.0f} s"
    is_longer = round(now.interval) > round(now.usual_interval)
    return f"{interval.upper()} (usually {now.usual_interval:.0f})" if is_longer else interval


def _store(change: Difference) -> Iterator[str]:
    rate, after = change.rate, change.after
    yield _line(
        "store",
        "reachable" if min(after.values(table.STORE_REACHABLE), default=0) else "AWAY",
        "writable" if min(after.values(table.STORE_WRITABLE), default=0) else "REFUSES WRITES",
        *(("NO NEW GRANTS",) if max(after.values(table.STARTS_PAUSED), default=0) else ()),
        _quantiles(change, table.STORE_COMMANDS),
        f"in flight {after.total(table.STORE_IN_USE):,.0f} of {after.total(table.STORE_POOL):,.0f}",
        f"errors {_rate(rate(table.STORE_ERRORS))}",
        *(
            f"{why} {_rate(each)}"
            for why, each in change.rates(table.STORE_ERRORS, "reason").items()
        ),
    )
    yield _line(
        "push",
        f"subscribed {after.total(table.PUSH_SUBSCRIBED):.0f} of {after.total(table.WORKERS):.0f}",
        _quantiles(change, table.PUSH_DELAY),
        f"lost {_rate(rate(table.PUSHES_LOST))}",
    )


def _answers(change: Difference) -> Iterator[str]:
    rate, after = change.rate, change.after
    yield _line(
        "people",
        *(
            f"sign-in {how} {_rate(rate(table.SIGN_INS, outcome=how))}"
            for how in ("succeeded", "failed")
        ),
        *(f"{name} {_rate(each)}" for name, each in change.rates(table.REFUSALS, "limit").items()),
    )
    yield _line(
        "answers",
        *(
            f"{status} {_rate(rate(table.RESPONSES, status=status))}"
            for status in ("2xx", "4xx", "5xx")
        ),
        f"connections {after.total(table.CONNECTIONS):,.0f}",
        f"loop lag {_quantiles(change, table.LOOP_LAG)}",
    )


def _workers(change: Difference) -> Iterator[str]:
    yield _row("host", ("worker", "CPU", "descriptors", "mirror", "heartbeat", "starts"))
    after = change.after
    for host in after.seen(table.WORKERS, "host"):
        for worker in after.seen(table.HEARTBEAT_AGE, "worker"):
            of = {"host": host, "worker": worker}
            if after.values(table.HEARTBEAT_AGE, **of):
                yield _row(host, _worker(change, of))


def _worker(change: Difference, of: dict[str, str]) -> tuple[str, ...]:
    most = change.after.most
    return (
        of["worker"],
        f"{change.rate(table.WORKER_CPU, **of):.0%}",
        f"{most(table.OPEN_FDS, **of):,.0f}/{most(table.MAX_FDS, **of):,.0f}",
        f"{most(table.MIRROR_AGE, **of):.1f} s",
        f"{most(table.HEARTBEAT_AGE, **of):.1f} s",
        f"{most(table.WORKER_STARTS, **of):.0f}",
    )


def _clients(change: Difference) -> Iterator[str]:
    """Yield the clients that do most of anything, if any does something."""
    columns = [change.rates(metric, "client_id") for _, metric in _CLIENT_COLUMNS]
    busiest: dict[str, float] = {}
    for rates in columns:
        for client_id, rate in rates.items():
            busiest[client_id] = max(rate, busiest.get(client_id, 0.0))
    if not busiest:
        return
    yield _row("client", (title for title, _ in _CLIENT_COLUMNS))
    for client_id in sorted(busiest, key=lambda name: (-busiest[name], name))[:CLIENTS_SHOWN]:
        yield _row(client_id, (f"{rates.get(client_id, 0.0):,.1f}" for rates in columns))


def _row(name: str, cells: Iterable[str]) -> str:
    return f"{name[:_WIDE]:<{_WIDE}} " + " ".join(f"{cell:>12}" for cell in cells)


def _line(name: str, *parts: str) -> str:
    return f"{name:<{_NAME}}" + "   ".join(parts)


def _rate(rate: float) -> str:
    return f"{rate:,.1f}/s"


def _part(part: float | None) -> str:
    return "-" if part is None else f"{part:.1%}"


def _quantiles(change: Difference, metric: Metric) -> str:
    half, most = change.quantile(metric, 0.5), change.quantile(metric, 0.95)
    if half is None or most is None:
        return "p50 - p95 -"
    return f"p50 {_duration(half)} p95 {_duration(most)}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms" if seconds < 1 else f"{seconds:,.1f} s"
