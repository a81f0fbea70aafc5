"""`faults`: what one fault costs a fleet, and whether every decision arrives in spite of it.

A server with two workers is polled by a fleet of obedient devices, while people decide requests on
the pages. After some seconds, one fault happens. Each run has one fault, a server and a store of
its own. Afterwards, people stop, and devices poll on until they know every decision that was
acknowledged. A run fails if

- a device does not learn a decision that was acknowledged, or learns something else,
- a device gets two different sets of tokens, or tokens whose signature is not valid,
- a device gets any answer that its grant does not explain.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import uvloop
from aiohttp import ClientSession
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from benchmarks.devices import allow_files
from benchmarks.faults.devices import INTERVAL_S, FleetDevice, Requests
from benchmarks.faults.kinds import FAULTS, Fault
from benchmarks.faults.people import People
from benchmarks.faults.record import Record, Waits
from benchmarks.faults.stages import WORKERS, Stage, open_stage
from benchmarks.processes import BenchmarkError
from benchmarks.progress import Steps
from benchmarks.results import Result
from benchmarks.run import Run
from benchmarks.tables import Row, show

SECONDS = 30
POLLS = 2_000
APPROVALS = 20
BEFORE_S = 5.0
SETTLE_S = 30.0
STARTS_PER_SECOND = 500
PATIENCE_S = 60.0
TICK_S = 0.5

LOST = ("refused", "reset", "unanswered")


class Rates(NamedTuple):
    """Polls and decisions a second, and the length of a run in s."""

    polls: int
    decisions: int
    seconds: int


class Outcome(NamedTuple):
    """What a run saw. `before`, `after`: the longest waits before the fault, and from it on."""

    fault: Fault
    record: Record
    before: Waits
    after: Waits
    polls_per_second: float


HEAD: Row = (
    "fault",
    "polls/s",
    "refused",
    "reset",
    "cut",
    "503",
    "silence, ms",
    "poll, s",
    "decisions",
    "forms 503",
    "forms cut",
    "pause, s",
    "wrong",
)
"""Polls by how they failed (`cut`: closed without an answer); the longest time in which no device
had a good answer; the longest poll, with all repetitions; decisions, and forms that failed; the
longest time in which no decision was acknowledged; violations."""


def run(run: Run, only: Sequence[str], rates: Rates) -> Result:
    """Bring about each fault, or only some. May raise BenchmarkError: something must not be."""
    allow_files(2 * rates.polls)
    outcomes: list[Outcome] = []
    for fault in FAULTS:
        if fault.name not in only if only else fault.loses:
            continue
        total = BEFORE_S + rates.seconds
        with run.screen.steps(fault.title, int(total)) as steps:
            outcomes.append(_bring_about(run.folder / fault.name, fault, rates, steps))
        found = zip(HEAD[1:], _row(outcomes[-1])[1:], strict=True)
        words = ", ".join(f"{name} {value}" for name, value in found)
        run.screen.console.print(f"  {words}", style="dim", highlight=False)
    show(run.screen.console, "What a fault costs", HEAD, [_row(outcome) for outcome in outcomes])
    result = run.collect("faults", [], _figures(outcomes), _parameters(rates), _notes(outcomes))
    run.keep(result)
    if notes := result.notes:
        raise BenchmarkError("\n".join(notes))
    return result


def _bring_about(folder: Path, fault: Fault, rates: Rates, steps: Steps) -> Outcome:
    steps.now("starting")
    with (
        open_stage(folder, fault.store) as stage,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_measure(stage, fault, rates, steps))


async def _measure(stage: Stage, fault: Fault, rates: Rates, steps: Steps) -> Outcome:
    await stage.wait_until_controlled()
    record = Record()
    requests = Requests.to(stage.port)
    devices = [FleetDevice(requests, record) for _ in range(int(rates.polls * INTERVAL_S))]
    async with People.open(stage.port, stage.store_url, record) as people:
        try:
            await _start(devices, record, steps)
            deciding = asyncio.create_task(people.run(devices, rates.decisions))
            record.waits()
            polls, started = record.polls, time.monotonic()
            await _pass(BEFORE_S, "before the fault", steps)
            before = record.waits()
            happening = asyncio.create_task(fault.happen(stage))
            await _pass(rates.seconds, "the fault", steps)
            try:
                await happening
            except BenchmarkError as error:
                record.violate("the fault did not happen", str(error))
            deciding.cancel()
            with suppress(asyncio.CancelledError):
                await deciding
            after = record.waits()
            polls_per_second = (record.polls - polls) / (time.monotonic() - started)
            steps.now("waiting for every decision to arrive")
            await _settle(people, record)
            await _check_tokens(stage, record)
            record.check()
        finally:
            record.on = False
            for device in devices:
                device.stop()
    return Outcome(fault, record, before, after, polls_per_second)


async def _start(devices: Sequence[FleetDevice], record: Record, steps: Steps) -> None:
    """Start the devices, spread over their interval, and wait until all of them have codes."""
    spread = max(INTERVAL_S, len(devices) / STARTS_PER_SECOND)
    for number, device in enumerate(devices):
        device.start(spread * number / len(devices))
    deadline = time.monotonic() + PATIENCE_S
    while len(record.grants) < len(devices):
        steps.now(f"{len(record.grants):,} of {len(devices):,} devices have codes")
        if time.monotonic() > deadline:
            raise BenchmarkError(f"the fleet did not start: {dict(record.counts)}")
        await asyncio.sleep(TICK_S)
    await asyncio.sleep(INTERVAL_S)


async def _pass(seconds: float, words: str, steps: Steps) -> None:
    for left in range(int(seconds), 0, -1):
        steps.now(f"{words}, {left} s left")
        await asyncio.sleep(1.0)
        steps.done()


async def _settle(people: People, record: Record) -> None:
    """Wait until decisions have ended and arrived. Note those that do not."""
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        if not people.under_way and not record.undelivered():
            break
        await asyncio.sleep(TICK_S)
    for grant in record.undelivered():
        record.violate("a device never learned a decision", grant.name)
    if people.under_way:
        record.violate(f"{people.under_way} decisions were not taken within {SETTLE_S:g} s")
    # The last devices ask once more.
    await asyncio.sleep(2 * INTERVAL_S)


async def _check_tokens(stage: Stage, record: Record) -> None:
    """Check that each grant has tokens of its own, signed with a key that is published."""
    async with (
        ClientSession() as client,
        client.get(f"http://127.0.0.1:{stage.port}/oauth2/jwks") as answer,
    ):
        keys = KeySet.import_key_set(await answer.json())
    tokens = list(record.tokens())
    for token in tokens:
        try:
            jwt.decode(token, keys, algorithms=["ES256"])
        except (JoseError, ValueError) as error:
            record.violate("the signature of a token is not valid", repr(error))
    if len(set(tokens)) < len(tokens):
        record.violate("two grants have the same token")


def _row(outcome: Outcome) -> Row:
    counts, after = outcome.record.counts, outcome.after
    decisions = counts["acknowledged approve"] + counts["acknowledged deny"]
    return (
        outcome.fault.title,
        f"{outcome.polls_per_second:,.0f}",
        *(f"{counts[kind]:,}" for kind in (*LOST, "503")),
        f"{after.silence_s * 1000:,.0f}",
        f"{after.poll_s:.2f}",
        f"{decisions:,}",
        *(f"{counts[kind]:,}" for kind in ("forms 503", "forms unanswered")),
        f"{after.decision_s:.2f}",
        f"{outcome.record.violations.total():,}",
    )


def _figures(outcomes: Sequence[Outcome]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for outcome in outcomes:
        name = outcome.fault.name
        figures |= {f"{name}: {kind}": float(n) for kind, n in outcome.record.counts.items()}
        for when, waits in (("before", outcome.before), ("after", outcome.after)):
            figures |= {f"{name}: {when} {kind}": s for kind, s in waits._asdict().items()}
        figures[f"{name}: polls_per_second"] = outcome.polls_per_second
        figures[f"{name}: violations"] = float(outcome.record.violations.total())
    return figures


def _parameters(rates: Rates) -> dict[str, float | int | str]:
    return {
        "polls per second": rates.polls,
        "decisions per second": rates.decisions,
        "seconds from the fault on": rates.seconds,
        "workers": WORKERS,
        "people decide": "on the pages, with sessions made in the store",
    }


def _notes(outcomes: Sequence[Outcome]) -> list[str]:
    return [
        f"{outcome.fault.name}: {words}, {times} times"
        for outcome in outcomes
        for words, times in outcome.record.violations.items()
    ] + [
        f"{outcome.fault.name}: e.g. {example}"
        for outcome in outcomes
        for example in outcome.record.examples
    ]
