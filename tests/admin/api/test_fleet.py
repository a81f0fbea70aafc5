"""The figures of the fleet through the API."""

from tests.stage.admin import Operator
from tests.stage.oauth import Worker
from tests.stage.waiting import until


async def test_what_devices_do_is_counted(operator: Operator, worker: Worker) -> None:
    first = (await operator.get("/fleet")).body
    assert (first["polls"], first["store"]) == (0, "reachable")
    assert "slow_down_part" not in first
    await until(lambda: worker.feed.reachable)
    codes = [(await worker.authorize()).body for _ in range(3)]
    for _ in range(2):
        await worker.poll(codes[0]["device_code"])
    # The stage's clock stands still: until it moves, there is no later look.
    worker.parts.clock.now += 2  # type: ignore[attr-defined]
    now = (await operator.get("/fleet")).body
    assert now["seconds"] == 2
    assert now["grants_started"] == 1.5
    assert now["polls"] == 1
    assert now["polls_by_outcome"] == {"authorization_pending": 0.5, "slow_down": 0.5}
    assert now["slow_down_part"] == 0.5
