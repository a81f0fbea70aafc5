"""The sampler: states of a worker, four times a second."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.metrics.sampler import Sampler, count_fds
from deviceflow.tasks import end
from tests.stage.metrics import numbers
from tests.stage.waiting import until


async def forty_two() -> int | None:
    return 42


async def away() -> int | None:
    return None


def make(recorder: Recorder, held: Callable[[], float] = int) -> Sampler:
    return Sampler(
        recorder=recorder,
        gauges=((table.HELD_POLLS, held),),
        live_grants=forty_two,
        on_tick=lambda: None,
    )


async def test_states_follow_what_they_measure() -> None:
    recorder, held = Recorder.alone(), [1]
    running = asyncio.create_task(make(recorder, lambda: held[0]).run())
    await until(lambda: numbers(recorder)["deviceflow_held_polls"] == 1)
    held[0] = 7
    await until(lambda: numbers(recorder)["deviceflow_held_polls"] == 7)
    await until(lambda: numbers(recorder)["deviceflow_grants_live"] == 42)
    await until(lambda: numbers(recorder)["deviceflow_event_loop_lag_seconds_count"] >= 2)
    page = numbers(recorder)
    assert page['deviceflow_worker_cpu_seconds_total{worker="0"}'] > 0
    assert page['deviceflow_open_fds{worker="0"}'] > 0
    await end(running)
    assert numbers(recorder)["deviceflow_workers"] == 0, "its states end with it"


async def test_a_store_that_is_away_keeps_the_last_number() -> None:
    recorder = Recorder.alone()
    sampler = make(recorder)
    recorder.set(table.GRANTS_LIVE, 5)
    sampler.live_grants = away
    running = asyncio.create_task(sampler.run())
    await until(lambda: numbers(recorder).get('deviceflow_open_fds{worker="0"}'))
    assert numbers(recorder)["deviceflow_grants_live"] == 5
    await end(running)


def test_open_files_are_counted(tmp_path: Path) -> None:
    before = count_fds()
    opened = [os.open(tmp_path, os.O_RDONLY) for _ in range(5)]
    assert count_fds() == before + 5
    for each in opened:
        os.close(each)
