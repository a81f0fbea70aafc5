"""Advice: settings whose defaults are too small, and what no number of hosts can mend."""

from deviceflow.capacity.costs import read
from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.plan import plan
from deviceflow.config.sections import Device, GrantLimits

COSTS = read()


def test_an_ordinary_fleet_needs_no_setting() -> None:
    found = plan(Fleet(devices=1e6), COSTS)
    assert found.settings == {}
    assert found.warnings == []


def test_a_fleet_that_waits_needs_room_for_its_grants() -> None:
    found = plan(Fleet(devices=1e7, waiting=1e7, hold=20, affinity=True), COSTS)
    defaults = {
        "device.pace_slots": Device().pace_slots,
        "device.max_held": Device().max_held,
        "limits.live_grants": GrantLimits().live_grants,
        "limits.starts": GrantLimits().starts,
    }
    assert found.settings.keys() >= defaults.keys()
    assert all(found.settings[name] > default for name, default in defaults.items())
    assert found.settings["device.pace_slots"] >= found.peak.live_grants


def test_settings_that_are_not_named_are_large_enough() -> None:
    """The defaults that the model compares with are those of the server."""
    for devices in (1e5, 3e5, 1e6, 3e6, 1e7):
        found = plan(Fleet(devices=devices, waiting=devices, affinity=True), COSTS)
        slots = found.settings.get("device.pace_slots", Device().pace_slots)
        assert slots >= found.peak.live_grants
        live = found.settings.get("limits.live_grants", GrantLimits().live_grants)
        assert live >= found.peak.live_grants


def test_warnings_say_what_to_do() -> None:
    spread = plan(Fleet(devices=1e8, waiting=1e8), COSTS)
    assert any("same host (affinity)" in warning for warning in spread.warnings)
    together = plan(Fleet(devices=1e8, waiting=1e8, affinity=True), COSTS)
    assert not any("affinity" in warning for warning in together.warnings)
    people = plan(Fleet(devices=1e9, devices_per_person=1), COSTS)
    assert any("accounts are one key" in warning for warning in people.warnings)
    decisions = plan(Fleet(devices=1e9, logins_per_day=50), COSTS)
    assert any("on the decisions of all others" in warning for warning in decisions.warnings)
    held = plan(Fleet(devices=1e8, waiting=1e8, hold=30, host_cores=512, affinity=True), COSTS)
    assert any("ports" in warning for warning in held.warnings)
