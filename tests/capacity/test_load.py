"""The load: how many devices wait, and what they ask for in a second."""

import random
from math import exp

import pytest

from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.load import APPROVAL_SIGMA, mean_wait, peak, power_cut


def test_the_mean_wait_is_that_of_people_who_were_drawn() -> None:
    fleet = Fleet(devices=1, approval_s=90, abandoned=0.3)
    chance = random.Random(8628)  # noqa: S311, no secret
    waits = [
        600.0 if chance.random() < 0.3 else min(600.0, 90 * exp(chance.gauss(0, APPROVAL_SIGMA)))
        for _ in range(20_000)
    ]
    assert mean_wait(fleet, 600) == pytest.approx(sum(waits) / len(waits), rel=0.02)


def test_as_many_wait_as_start_in_their_time() -> None:
    """Little's law, with everybody walking away: each waits for the whole lifetime."""
    fleet = Fleet(devices=86_400, logins_per_day=1, peak_factor=2, abandoned=1)
    load = peak(fleet)
    assert load.starts == 2
    assert load.waiting == pytest.approx(1_200)
    assert load.approvals == 0
    assert load.polls == pytest.approx(240)


def test_a_held_poll_comes_back_later() -> None:
    plain = peak(Fleet(devices=1e6))
    held = peak(Fleet(devices=1e6, hold=5))
    assert held.polls == 0
    assert held.held_polls == pytest.approx(plain.polls / 2)
    assert held.held == pytest.approx(plain.waiting / 2)


def test_devices_that_show_a_code_that_nobody_enters() -> None:
    """They start over once in a lifetime, and nobody approves them."""
    few, many = peak(Fleet(devices=1e6)), peak(Fleet(devices=1e6, waiting=60_000))
    assert many.waiting == 60_000
    assert many.starts - few.starts == pytest.approx((60_000 - few.waiting) / 600)
    assert many.approvals == few.approvals


def test_after_a_power_cut_devices_refresh_or_sign_in() -> None:
    fleet = Fleet(devices=1e6, power_cut=0.3, power_cut_over=100, power_cut_logins=0.1)
    before, after = peak(fleet), power_cut(fleet)
    assert after.starts - before.starts == pytest.approx(300)
    assert after.refreshes - before.refreshes == pytest.approx(3_000 * 0.9 * 0.8)
    assert after.waiting <= before.waiting + 30_000


def test_without_a_power_cut_there_is_only_the_peak() -> None:
    fleet = Fleet(devices=1e6, power_cut=0)
    assert power_cut(fleet) == peak(fleet)
