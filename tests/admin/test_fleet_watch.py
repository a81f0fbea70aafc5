"""The figures of this host when somebody asks: at once, if there is a look to compare with."""

import asyncio
from unittest import mock

import pytest

from deviceflow.admin.fleet_watch import FleetWatch
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.page import MetricsPage
from deviceflow.ops.metrics.recorder import Recorder
from tests.stage.clock import Clock


@pytest.fixture
def recorder() -> Recorder:
    return Recorder.alone()


@pytest.fixture
def watch(recorder: Recorder, clock: Clock) -> FleetWatch:
    return FleetWatch(page=MetricsPage(recorder), clock=clock)


async def test_the_first_answer_is_of_the_next_second(
    watch: FleetWatch, recorder: Recorder, clock: Clock
) -> None:
    async def pass_time(seconds: float) -> None:
        clock.now += seconds
        recorder.count(table.GRANTS_ISSUED, by=7)

    recorder.count(table.GRANTS_ISSUED, by=100)
    with mock.patch.object(asyncio, "sleep", pass_time):
        now = await watch.now()
    assert (now.seconds, now.started) == (1, 7)


async def test_later_ones_are_of_the_time_since_a_look_before(
    watch: FleetWatch, recorder: Recorder, clock: Clock
) -> None:
    slept = mock.AsyncMock()
    with mock.patch.object(asyncio, "sleep", slept):
        await watch.now()
        for _ in range(40):
            clock.now += 0.1
            recorder.count(table.GRANTS_ISSUED)
            now = await watch.now()
        assert 1 <= now.seconds < 2
        assert now.started == pytest.approx(10, rel=0.2)
        asked = slept.await_count
        clock.now += 2
        assert (await watch.now()).seconds == pytest.approx(2, abs=0.6)
        assert slept.await_count == asked
        clock.now += 60
        await watch.now()
        assert slept.await_count == asked + 1, "a look of a minute ago is no comparison"
