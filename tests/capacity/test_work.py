"""Work: what a poll costs by the way that it comes, and what hosts tell each other."""

import msgspec
import pytest

from deviceflow.capacity import work
from deviceflow.capacity.costs import read
from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.load import peak

COSTS = read()


def test_a_proxy_keeps_its_connections_whatever_devices_do() -> None:
    kept, connecting = COSTS.operations.poll, COSTS.operations.poll_connecting
    assert work.poll_us(Fleet(devices=1, kept=0), COSTS) == kept.server_us
    alone = Fleet(devices=1, kept=0, tls="none")
    assert work.poll_us(alone, COSTS) == connecting.server_us
    half = msgspec.structs.replace(alone, kept=0.5)
    assert work.poll_us(half, COSTS) == pytest.approx((kept.server_us + connecting.server_us) / 2)


def test_a_pending_poll_sends_nothing_to_the_store() -> None:
    idle = Fleet(devices=1e6, logins_per_day=0, waiting=1e6, lifetime=86_400)
    per_second = work.store_commands(peak(idle), COSTS)
    starts = 1e6 / 86_400 * COSTS.operations.start.store_commands
    refreshes = 8e5 / 3_600 * COSTS.operations.refresh.store_commands
    assert per_second == pytest.approx(starts + refreshes)


def test_a_host_that_is_alone_tells_nobody() -> None:
    fleet = Fleet(devices=1e7, waiting=1e7)
    load = peak(fleet)
    assert work.pace_core(fleet, load, COSTS, hosts=1) == 0
    apart = work.pace_core(fleet, load, COSTS, hosts=8)
    with_affinity = msgspec.structs.replace(fleet, affinity=True)
    assert work.pace_core(with_affinity, load, COSTS, hosts=8) < apart / 10


def test_a_worker_that_is_never_idle_never_wakes_up() -> None:
    assert work.spent_waking(1.0, 0.7) == work.spent_waking(1.5, 0.7) == 0


@pytest.mark.parametrize("waking", [0.01, 0.5, 3.0])
def test_a_worker_wakes_up_as_often_as_it_is_idle(waking: float) -> None:
    """The equation of the module's docstring."""
    busy = 0.2 + work.spent_waking(0.2, waking)
    assert busy == pytest.approx(0.2 + (1 - busy) * waking)


def test_a_new_connection_for_each_poll_wakes_a_worker_more_often_if_no_proxy_is_there() -> None:
    waiting = Fleet(devices=1e6, waiting=1e6, kept=0)
    alone = msgspec.structs.replace(waiting, tls="none")
    behind, without = (work.request_waking(fleet, peak(fleet), COSTS) for fleet in (waiting, alone))
    assert without > behind * 1.2
