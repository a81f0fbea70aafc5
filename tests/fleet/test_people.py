"""What people do."""

import random
from statistics import median

import msgspec
import pytest

from deviceflow.fleet.people import intend
from tests.stage.virtual_world import APPROVING, NOBODY


def test_people_do_each_in_its_share_after_a_log_normal_time() -> None:
    some = msgspec.structs.replace(APPROVING, approve=0.6, deny=0.1, walk_away=0.3, sigma=0.5)
    chance = random.Random(1)  # noqa: S311
    found = [intend(some, chance) for _ in range(2000)]
    choices = [each.choice if each else "" for each in found]
    assert choices.count("approve") == pytest.approx(1200, rel=0.1)
    assert choices.count("deny") == pytest.approx(200, rel=0.2)
    times = [each.after_s for each in found if each]
    assert median(times) == pytest.approx(12, rel=0.1)
    assert max(times) > 30


def test_nobody_decides_nothing() -> None:
    assert intend(msgspec.structs.replace(NOBODY, approve=1), random.Random(1)) is None  # noqa: S311
