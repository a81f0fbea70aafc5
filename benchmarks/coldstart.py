"""`coldstart`: a worker is killed and restarted under a fleet of polling devices.

Devices keep their connection and poll at their interval. When a connection breaks, the device opens
another at once and polls again. There is only one worker, so every device notices. The benchmark
checks that there is no wrong answer, and that the polls after the restart cause no commands in the
store. It measures the longest time that a device waits for an answer.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks import plots
from benchmarks.devices import allow_files
from benchmarks.grants import issue_many
from benchmarks.polls import poll_start
from benchmarks.processes import BenchmarkError, family, here_on
from benchmarks.results import Result, Section, Series, make_section
from benchmarks.run import Run
from benchmarks.servers import Competitor, Place, deviceflow
from benchmarks.stores import Store, commands_for_polls, store
from deviceflow.fleet.machine import core_count
from deviceflow.supervisor.pace_process import PROCESS_NAME

DEVICES = 5_000
INTERVAL_S = 1.0
BEFORE_S = 3.0
AFTER_S = 5.0
RETRY_S = 0.05
BIN_S = 0.1
RIGHT = (b'"error":"authorization_pending"', b'"error":"slow_down"')


class Log:
    """The answers to all devices. Times by time.monotonic."""

    def __init__(self) -> None:
        self.answered: list[float] = []
        self.recovered: list[float] = []
        self.kinds: Counter[str] = Counter()
        self.longest_gap = 0.0
        self.on = True

    def note(self, answer: bytes, since: float) -> float:
        """Count an answer, and return the time. `since`: the time of the answer before it."""
        now = time.monotonic()
        self.answered.append(now)
        self.longest_gap = max(self.longest_gap, now - since)
        kind = next((kind for kind in RIGHT if kind in answer), b"wrong")
        self.kinds[kind.decode().rpartition(":")[2].strip('"')] += 1
        return now


class PollingDevice(asyncio.Protocol):
    """A device with one grant."""

    def __init__(self, port: int, request: bytes, log: Log) -> None:
        self._port, self._request, self._log = port, request, log
        self._last = 0.0
        self._is_new = False
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Task[None] | None = None

    def start(self, delay: float) -> None:
        """Poll for the first time after `delay` s."""
        self._last = time.monotonic() + delay
        self._timer = asyncio.get_running_loop().call_later(delay, self._connect)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Poll."""
        self._transport = transport  # type: ignore[assignment]
        self._poll()

    def data_received(self, data: bytes) -> None:
        """Count an answer. It is so small that it comes in one piece."""
        self._last = self._log.note(data, self._last)
        if self._is_new:
            self._is_new = False
            self._log.recovered.append(self._last)
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._poll)

    def connection_lost(self, _: Exception | None) -> None:
        """Open another connection at once."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self._log.on:
            self._is_new = True
            self._connect()

    def stop(self) -> None:
        """Close the connection, and count the time since the last answer."""
        self._log.longest_gap = max(self._log.longest_gap, time.monotonic() - self._last)
        if self._timer is not None:
            self._timer.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _connect(self) -> None:
        self._connecting = asyncio.get_running_loop().create_task(self._try())

    async def _try(self) -> None:
        while self._log.on:
            with suppress(OSError):
                await asyncio.get_running_loop().create_connection(
                    lambda: self, "127.0.0.1", self._port
                )
                return
            await asyncio.sleep(RETRY_S)

    def _poll(self) -> None:
        if self._transport is not None and self._log.on:
            self._transport.write(self._request)


class Outage(NamedTuple):
    """The effects of one kill.

    `first_s`, `last_s`: the time until the first and the last device had an answer again. `gap_s`:
    the longest time between two answers to the same device.
    """

    first_s: float
    last_s: float
    gap_s: float
    polls: int
    commands: dict[str, int]
    timeline: list[tuple[float, int]]


async def kill_once(server: Competitor, opened: Store, requests: list[bytes]) -> Outage:
    """Let the devices poll, kill the worker, and collect the answers. May raise BenchmarkError."""
    log = Log()
    devices = [PollingDevice(server.port, request, log) for request in requests]
    for number, device in enumerate(devices):
        device.start(INTERVAL_S * number / len(devices))
    started = time.monotonic()
    await asyncio.sleep(BEFORE_S)
    before = opened.commands()
    log.longest_gap = 0.0
    killed = time.monotonic()
    os.kill(worker_of(server), signal.SIGKILL)
    await asyncio.sleep(AFTER_S)
    log.on = False
    after = opened.commands()
    for device in devices:
        device.stop()
    if log.kinds["wrong"]:
        raise BenchmarkError(f"{log.kinds['wrong']} wrong answers after the restart")
    if len(log.recovered) < len(devices):
        raise BenchmarkError(f"{len(devices) - len(log.recovered)} devices had no answer again")
    later = [at for at in log.answered if at > killed]
    return Outage(
        min(log.recovered) - killed,
        max(log.recovered) - killed,
        log.longest_gap,
        len(later),
        commands_for_polls(before, after, starts=1),
        list(histogram(log.answered, started)),
    )


def worker_of(server: Competitor) -> int:
    """Return the process id of the worker under the supervisor."""
    workers = [pid for pid in family(server.pids[0])[1:] if not _shares_pace(pid)]
    if len(workers) != 1:
        raise BenchmarkError("one worker was expected under the supervisor")
    return workers[0]


def _shares_pace(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == PROCESS_NAME


def histogram(answered: list[float], started: float) -> Iterator[tuple[float, int]]:
    """Count the answers in each tenth of a second."""
    counts = Counter(int((at - started) / BIN_S) for at in answered)
    for place in range(int((BEFORE_S + AFTER_S) / BIN_S)):
        yield place * BIN_S, counts[place]


def run(run: Run, devices: int = DEVICES) -> Result:
    """Kill the worker once in each round."""
    allow_files(devices)
    with (
        store(run.folder, run.cores.generator) as opened,
        deviceflow(Place(run.folder, run.cores.server), opened.url) as server,
        here_on(run.cores.generator),
    ):
        with run.screen.steps(f"making {devices:,} grants", devices) as making:
            codes = issue_many(opened.url, devices, core_count(), making.done)
        requests = [poll_start(server.port) + code.encode() for code in codes]
        outages = []
        with run.screen.steps("killing a worker under a fleet", run.turns.rounds) as steps:
            for number in range(run.turns.rounds):
                steps.now(f"kill {number + 1} of {run.turns.rounds}")
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    outages.append(runner.run(kill_once(server, opened, requests)))
                steps.done()
    polls = sum(outage.polls for outage in outages)
    commands = sum(sum(outage.commands.values()) for outage in outages)
    section = _section(outages)
    figures = {
        "redis commands per poll after a restart": commands / polls,
        "polls after a restart": float(polls),
        "first answer after the kill ms": section.series[0].spread.median,
        "longest gap of any device ms": max(outage.gap_s for outage in outages) * 1000,
        "wrong answers": 0.0,
    }
    parameters: dict[str, float | int | str] = {"devices": devices, "interval_s": INTERVAL_S}
    result = run.finish("coldstart", [section], figures, parameters)
    title = f"Answers per {BIN_S:g} s to {devices:,} devices"
    plots.timeline(run.results / "coldstart.svg", title, outages[-1].timeline, BEFORE_S)
    return result


def _section(outages: list[Outage]) -> Section:
    series = [
        Series("first answer after the kill", [outage.first_s * 1000 for outage in outages]),
        Series("every device answered again", [outage.last_s * 1000 for outage in outages]),
        Series(
            "longest gap, beyond the interval",
            [(outage.gap_s - INTERVAL_S) * 1000 for outage in outages],
        ),
    ]
    notes = [f"commands that polls caused: {outages[-1].commands or 'none'}"]
    return make_section("kill", "Cold start: the only worker is killed", "ms", series, [], notes)
