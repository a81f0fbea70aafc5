"""A wave of wrong codes: when it is noticed, and what it leaves to guessers and to typists."""

import pytest
from structlog.testing import capture_logs

from deviceflow.config import Device
from deviceflow.core.user_code import WRONG_CODES_PER_DAY
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.policy.guess_wave import LOOK_EVERY_S, GuessWave
from deviceflow.policy.rules import DAY_S, code_counts, code_wave
from deviceflow.policy.tries import TooManyTries, count_try
from deviceflow.store.slots import WRONG_CODES_WINDOW_S
from tests.stage.clock import Clock
from tests.stage.limits import MemoryLimits

LIFETIME_S = 600


class Counted:
    """The wrong codes in the store, and how often they were asked for."""

    def __init__(self) -> None:
        self.number = 0
        self.looks = 0

    async def __call__(self) -> int:
        self.looks += 1
        return self.number


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000)


async def test_it_begins_and_ends_with_the_count(counted: Counted, clock: Clock) -> None:
    wave = GuessWave(counted, 1000, clock, Recorder.alone())
    seen = []
    with capture_logs() as logs:
        for number in (0, 999, 1000, 5000, 999):
            counted.number = number
            clock.now += LOOK_EVERY_S
            seen.append(await wave.is_on())
    assert seen == [False, False, True, True, False]
    assert [line["event"] for line in logs] == ["codes.wave_began", "codes.wave_ended"]
    assert logs[0]["wrong_codes"] == 1000


async def test_many_people_cost_the_store_one_look_a_second(counted: Counted, clock: Clock) -> None:
    wave = GuessWave(counted, 1000, clock, Recorder.alone())
    for _ in range(100):
        await wave.is_on()
    clock.now -= 3600
    await wave.is_on()
    assert counted.looks == 2, "a clock that was set back stops no look"


async def test_without_a_number_there_is_none(counted: Counted, clock: Clock) -> None:
    counted.number = 10**6
    wave = GuessWave(counted, 0, clock, Recorder.alone())
    assert (await wave.is_on(), counted.looks) == (False, 0)


def test_it_begins_where_codes_get_longer() -> None:
    """Up to there, the length of codes is good for all guesses (docs/security.md)."""
    expected = WRONG_CODES_PER_DAY * WRONG_CODES_WINDOW_S // DAY_S
    assert Device().wave_wrong_codes == expected


async def tries_in_a_lifetime(*, in_wave: bool, right_after: int = 0) -> int:
    """How many wrong codes an account gets; each `right_after` of them it has a right one."""
    limits, wrong = MemoryLimits(lambda: 0.0), 0
    counts = code_counts("eve", "203.0.113.7", LIFETIME_S, in_wave=in_wave)
    while True:
        try:
            await count_try(limits, counts)
        except TooManyTries:
            return wrong
        wrong += 1
        if right_after and wrong % right_after == 0:
            await limits.forget(code_wave(LIFETIME_S).name, "eve")


async def test_what_it_leaves_to_guessers_and_to_typists() -> None:
    """An installer with a right code now and then has as many tries as without a wave."""
    assert await tries_in_a_lifetime(in_wave=False) == 8
    assert await tries_in_a_lifetime(in_wave=True) == 3
    assert await tries_in_a_lifetime(in_wave=True, right_after=3) == 8
