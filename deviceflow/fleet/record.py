"""A run as it is put together: the ticks of all processes, added up second by second."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from deviceflow.fleet.histogram import Histogram
from deviceflow.fleet.machine import describe_machine
from deviceflow.fleet.plan import Plan
from deviceflow.fleet.result import (
    FleetResult,
    Operation,
    Second,
    Settings,
    WrongOutcome,
)
from deviceflow.fleet.tally import Tick

LATE_MS = 100.0
"""A longer delay of the generator, in ms, has a note in the result."""

PACKAGES = ("aiohttp", "msgspec", "uvloop")

_MS = 1000.0


class ServerUse(NamedTuple):
    """The use of a server: CPU time since its start, in s, and memory now, in bytes."""

    cpu_s: float
    memory_bytes: int


Probe = Callable[[], ServerUse | None]
"""Reads what the server uses, where its processes can be seen."""


class Record:
    """Adds up the ticks of `processes`.

    `watch` is called with each second, once all processes have sent theirs.
    """

    def __init__(
        self, processes: int, watch: Callable[[Second], None], probe: Probe | None = None
    ) -> None:
        self._processes, self._watch, self._probe = processes, watch, probe
        self._open: defaultdict[int, list[Tick]] = defaultdict(list)
        self._used = probe() if probe else None
        self.total = Tick()
        self.series: list[Second] = []

    def add(self, tick: Tick) -> None:
        """Add a second of a process."""
        ticks = self._open[tick.number]
        ticks.append(tick)
        if len(ticks) == self._processes:
            self._close(tick.number)

    def end(self) -> None:
        """Close the seconds that some processes have not sent: one may end before another."""
        for number in sorted(self._open):
            self._close(number)

    def _close(self, number: int) -> None:
        tick = Tick(number=number)
        for each in self._open.pop(number):
            tick.add(each)
        self.total.add(tick)
        before, self._used = self._used, self._probe() if self._probe else None
        second = _second(tick, before, self._used)
        self.series.append(second)
        self._watch(second)


def _second(tick: Tick, before: ServerUse | None, used: ServerUse | None) -> Second:
    poll = tick.latencies.get(Operation.POLL, Histogram())
    waited = tick.latencies.get(Operation.APPROVAL_TO_TOKENS, Histogram())
    return Second(
        at_s=float(tick.number),
        devices=tick.devices,
        pending=tick.pending,
        connections=tick.connections,
        **tick.events,
        polls=tick.polls,
        errors=tick.errors,
        wrong=tick.wrong,
        poll_p50_ms=poll.percentile_ms(0.5),
        poll_p99_ms=poll.percentile_ms(0.99),
        poll_p999_ms=poll.percentile_ms(0.999),
        poll_max_ms=poll.longest_ms,
        approval_to_tokens_p50_ms=waited.percentile_ms(0.5),
        approval_to_tokens_max_ms=waited.longest_ms,
        late_ms=tick.late_s * _MS,
        cpu_s=tick.cpu_s,
        server_cpu_s=used.cpu_s - before.cpu_s if used and before else None,
        server_memory_bytes=used.memory_bytes if used else None,
    )


def result_of(plan: Plan, record: Record, began: datetime, seconds: float) -> FleetResult:
    """Return the result of a run that began then and took so long. It has no objectives yet."""
    total = record.total
    return FleetResult(
        version=plan.version,
        began=began,
        seconds=round(seconds, 3),
        is_complete=seconds >= plan.scenario.seconds,
        scenario=plan.scenario,
        settings=Settings(
            target=plan.endpoints.issuer,
            client_id=plan.credentials.client_id,
            scope=plan.scope,
            device_authorization_endpoint=plan.endpoints.device_authorization,
            token_endpoint=plan.endpoints.token,
            interval_s=total.interval_s,
            expires_in_s=total.expires_in_s,
            processes=plan.processes,
            source_addresses=max(1, len(plan.sources)),
        ),
        machine=describe_machine(PACKAGES),
        series=record.series,
        latencies={
            operation: latency
            for operation, histogram in sorted(total.latencies.items())
            if (latency := histogram.latency()) is not None
        },
        starts=total.events.get("starts", 0),
        tokens=total.events.get("tokens", 0),
        approvals=total.events.get("approvals", 0),
        denials=total.events.get("denials", 0),
        refreshes=total.events.get("refreshes", 0),
        polls=total.polls,
        errors=total.errors,
        wrong={
            kind: WrongOutcome(
                count=count,
                first_s=total.examples[kind].at_s,
                example=total.examples[kind].text,
            )
            for kind, count in total.wrong.items()
        },
        notes=list(_notes(plan, total)),
    )


def _notes(plan: Plan, total: Tick) -> Iterator[str]:
    """Yield what limits the figures."""
    if (late_ms := total.late_s * _MS) >= LATE_MS:
        yield (
            f"The generator itself was late, by up to {late_ms:,.0f} ms. The latencies have that "
            "in them. Give it more processes, or a machine of its own."
        )
    if total.interval_s is not None and not total.polls:
        yield (
            f"No device has polled: the run ended before the server's interval of "
            f"{total.interval_s:g} s."
        )
    events = total.events
    if plan.scenario.refreshers and events.get("tokens") and not events.get("refreshes"):
        yield (
            "No device has refreshed its tokens. Did the server give refresh tokens (--scope "
            "offline_access), and were they due (--token-clock)?"
        )
