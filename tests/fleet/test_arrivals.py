"""When devices begin."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.fleet.arrivals import ARRIVALS, POWER_CUT_S, STARTS_PER_S, moments
from deviceflow.fleet.result import Scenario
from tests.stage.virtual_world import NOBODY


def scenario(arrival: str, devices: int = 1000, seconds: float = 100.0) -> Scenario:
    return Scenario(
        devices=devices, arrival=arrival, seconds=seconds, styles={}, people=NOBODY, seed=1
    )


def when(asked: Scenario, number: int = 0, of: int = 1) -> list[float]:
    return moments(asked, random.Random(1), slice(number, None, of))  # noqa: S311


@given(st.sampled_from(sorted(ARRIVALS)), st.integers(1, 200), st.floats(0.1, 1000))
def test_every_device_begins_within_the_run(name: str, devices: int, seconds: float) -> None:
    found = when(scenario(name, devices, seconds))
    assert len(found) == devices
    assert found == sorted(found)
    assert 0 <= found[0] <= found[-1] <= seconds


@given(st.sampled_from(sorted(ARRIVALS)), st.integers(1, 50), st.integers(1, 5))
def test_shares_are_all_devices(name: str, devices: int, processes: int) -> None:
    asked = scenario(name, devices)
    assert sum(len(when(asked, each, processes)) for each in range(processes)) == devices


def test_a_power_cut_ends_for_all_at_once() -> None:
    assert when(scenario("power-cut"))[-1] <= POWER_CUT_S


def test_an_evening_has_its_peak_in_the_middle() -> None:
    found = when(scenario("evening"))
    assert sum(40 <= each <= 60 for each in found) > 4 * sum(each <= 20 for each in found)
    assert found[500] == pytest.approx(50, abs=1)


def test_a_launch_day_fades_away() -> None:
    found = when(scenario("launch-day"))
    assert found[500] == pytest.approx(15, abs=1)


def test_a_steady_fleet_begins_slowly_or_as_it_is_told() -> None:
    assert when(scenario("steady"))[-1] == pytest.approx(1000 / STARTS_PER_S, rel=0.01)
    told = Scenario(
        devices=10, arrival="steady", seconds=60, styles={}, people=NOBODY, seed=1, ramp_s=30
    )
    assert when(told)[-1] == pytest.approx(30, abs=3)
