"""A try counts under all of its rules, or under none."""

import pytest

from deviceflow.policy.rules import Count, Rule
from deviceflow.policy.tries import TooManyTries, count_try
from tests.stage.limits import MemoryLimits

WIDE = Count(Rule("wide", "address", 3, 60), "here")
NARROW = Count(Rule("narrow", "account", 1, 60), "ada")


@pytest.fixture
def limits() -> MemoryLimits:
    return MemoryLimits(lambda: 0.0)


async def test_a_try_counts_under_each_rule(limits: MemoryLimits) -> None:
    await count_try(limits, [WIDE, NARROW])
    assert limits.counted("wide", "here") == limits.counted("narrow", "ada") == 1


async def test_a_refused_try_counts_under_none(limits: MemoryLimits) -> None:
    await count_try(limits, [WIDE, NARROW])
    for _ in range(9):
        with pytest.raises(TooManyTries) as refusal:
            await count_try(limits, [WIDE, NARROW])
        assert (refusal.value.rule.name, refusal.value.wait_s) == ("narrow", 60)
    assert limits.counted("wide", "here") == limits.counted("narrow", "ada") == 1


async def test_the_first_refusal_ends_it(limits: MemoryLimits) -> None:
    """Nothing is written under a key that a stranger chose after it."""
    limits.fill("wide", "here", 3)
    with pytest.raises(TooManyTries):
        await count_try(limits, [WIDE, NARROW])
    assert ("narrow", "ada") not in limits.tries


async def test_what_was_no_guess_is_taken_back(limits: MemoryLimits) -> None:
    await count_try(limits, [WIDE])
    attempt = await count_try(limits, [WIDE, NARROW])
    for _ in range(2):
        await attempt.forgive()
        assert (limits.counted("wide", "here"), limits.counted("narrow", "ada")) == (1, 0)


async def test_a_try_with_a_cause_counts_once(limits: MemoryLimits) -> None:
    wide = [WIDE]
    for _ in range(3):
        attempt = await (await count_try(limits, wide)).once("cause")
    assert limits.counted("wide", "here") == 1
    other = await count_try(limits, wide)
    await other.for_cause("cause").forgive()
    assert limits.counted("wide", "here") == 1, "the other try"
    await attempt.forgive()
    assert limits.counted("wide", "here") == 1, "a second time does nothing"
