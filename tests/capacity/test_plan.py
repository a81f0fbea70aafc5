"""The whole plan, held to what an operator relies on, for fleets of every kind."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deviceflow.capacity.costs import read
from deviceflow.capacity.fleet import CapacityError, Fleet
from deviceflow.capacity.hosts import waking_share
from deviceflow.capacity.parts import Plan
from deviceflow.capacity.plan import plan
from deviceflow.capacity.work import decision_waking, request_work, worker_share
from tests.stage.examples import unless_few

COSTS = read()

fleets = st.builds(
    Fleet,
    devices=st.floats(1, 1e8),
    logins_per_day=st.floats(0, 50),
    peak_factor=st.floats(1, 50),
    approval_s=st.floats(1, 3_600),
    abandoned=st.floats(0, 1),
    interval=st.floats(1, 60),
    hold=st.sampled_from([0.0, 5.0, 20.0]),
    kept=st.floats(0, 1),
    tls=st.sampled_from(["full", "resumed", "none"]),
    affinity=st.booleans(),
    signed_in=st.floats(0, 1),
    passwords=st.floats(0, 1),
    power_cut=st.floats(0, 1),
    host_cores=st.integers(1, 64),
    spare=st.integers(0, 3),
    proxies=st.sampled_from(["shared", "own"]),
)
some = settings(max_examples=unless_few(60), deadline=None)


def of(**fields: object) -> Plan:
    return plan(msgspec.convert({"devices": 1e6} | fields, Fleet), COSTS)


def sizes(found: Plan) -> tuple[float, ...]:
    """What must not become less with more load."""
    proxies, store = found.proxies, found.store
    return (
        found.peak.starts,
        found.peak.waiting,
        found.power_cut.polls + found.power_cut.held_polls,
        found.server.needed,
        proxies.needed if proxies else 0,
        proxies.cores if proxies else 0,
        store.memory,
        store.primaries,
        found.network.total,
    )


@some
@given(fleet=fleets, times=st.floats(1, 10))
def test_more_devices_never_need_less(fleet: Fleet, times: float) -> None:
    more = msgspec.structs.replace(fleet, devices=fleet.devices * times)
    for less, greater in zip(sizes(plan(fleet, COSTS)), sizes(plan(more, COSTS)), strict=True):
        assert greater >= less * (1 - 1e-9)


@some
@given(fleet=fleets, times=st.floats(1, 5))
def test_a_shorter_interval_never_needs_fewer_hosts(fleet: Fleet, times: float) -> None:
    slower = msgspec.structs.replace(fleet, interval=fleet.interval * times)
    slower = msgspec.structs.replace(slower, lifetime=max(slower.lifetime, slower.interval))
    faster = msgspec.structs.replace(slower, interval=fleet.interval)
    assert plan(faster, COSTS).server.needed >= plan(slower, COSTS).server.needed


@some
@given(fleet=fleets)
def test_the_hosts_that_are_left_carry_the_work(fleet: Fleet) -> None:
    """At the utilisation that was asked for, unless hearing of decisions leaves no room."""
    found = plan(fleet, COSTS)
    cores = found.server.cores
    work = cores.total - cores.pace - cores.idle - cores.decisions - cores.waking
    if found.proxies and fleet.proxies == "shared":
        work += found.proxies.cores * (1 - 1e-9)
    assert work <= found.server.needed * fleet.host_cores * fleet.utilisation * (1 + 1e-6)
    assert found.server.hosts == found.server.needed + fleet.spare


@some
@given(fleet=fleets.filter(lambda fleet: fleet.proxies == "own" or fleet.tls == "none"))
def test_the_workers_that_are_left_are_no_busier_than_asked_for(fleet: Fleet) -> None:
    """Waking up is part of it, unless hearing of decisions leaves no room."""
    found = plan(fleet, COSTS)
    workers = found.server.needed * fleet.host_cores
    for load in (found.peak, found.power_cut):
        hearing = worker_share(load, COSTS) + decision_waking(load, COSTS)
        if hearing > fleet.utilisation / 2:
            continue
        busy = request_work(fleet, load, COSTS) / workers + worker_share(load, COSTS)
        busy += waking_share(fleet, load, COSTS, workers)
        assert busy <= fleet.utilisation * (1 + 1e-6)


@some
@given(fleet=fleets)
def test_totals_add_up(fleet: Fleet) -> None:
    found = plan(fleet, COSTS)
    cores = found.server.cores
    assert cores.total == pytest.approx(sum(msgspec.structs.asdict(cores).values()))
    store = found.store
    assert store.memory == pytest.approx(
        store.grants + store.families + store.accounts + store.rest
    )
    assert store.maxmemory * store.primaries * 0.8 >= store.memory * (1 - 1e-9)
    if found.proxies:
        assert 0 <= found.proxies.tls <= found.proxies.cores * (1 + 1e-9)


def test_spare_hosts_carry_nothing_at_the_peak() -> None:
    alone, safe = of(devices=1e7, spare=0), of(devices=1e7, spare=2)
    assert (alone.server.hosts, safe.server.hosts) == (
        alone.server.needed,
        alone.server.needed + 2,
    )


def test_a_password_is_most_of_a_login() -> None:
    cores = of(passwords=1).server.cores
    assert cores.passwords > cores.pages + cores.starts + cores.redemptions


def test_resumed_handshakes_cost_less_and_none_need_no_proxy() -> None:
    proxy = msgspec.structs.replace(COSTS.proxy, full_us=400.0, resumed_us=300.0)
    costs = msgspec.structs.replace(COSTS, proxy=proxy)
    full, resumed = (
        plan(msgspec.convert({"devices": 1e6, "tls": tls}, Fleet), costs).proxies
        for tls in ("full", "resumed")
    )
    assert full is not None
    assert resumed is not None
    assert resumed.tls < full.tls
    without = of(tls="none")
    assert without.proxies is None
    assert without.network.total < of(tls="full").network.total


def test_opaque_tokens_are_in_the_store() -> None:
    kept = of(opaque=True).store.memory - of().store.memory
    assert kept == pytest.approx(800_000 * COSTS.memory.opaque_token)


def test_answers_that_contradict_each_other_are_refused() -> None:
    for fields, words in (
        ({"interval": 700.0}, "longer than lifetime"),
        ({"refresh": 3e6}, "signed out before it refreshes"),
        ({"waiting": 2e6}, "more than there are devices"),
    ):
        with pytest.raises(CapacityError, match=words):
            of(**fields)
