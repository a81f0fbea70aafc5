"""The rules, told as stories: no honest person is refused, and no stranger gets far.

Time is a number here. Strangers try as often as the rules let them, and wait exactly as long as
they are told; the tests compute how many guesses that gives them.
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable

import pytest

from deviceflow.core.user_code import (
    HITS_PER_DAY,
    WRONG_CODES_PER_DAY,
    UserCodeFormat,
    length_for,
)
from deviceflow.policy.rules import GUESSES_PER_LIFETIME, Count, code_counts, sign_in_counts
from deviceflow.policy.tries import TooManyTries, count_try
from tests.stage.limits import MemoryLimits

HOUR = 3600
DAY = 24 * HOUR
LIFETIME = 600


class World:
    """Everything that is counted, and what time it is."""

    def __init__(self) -> None:
        self.now = 0.0
        self.limits = MemoryLimits(lambda: self.now)
        self.refused = 0

    async def sign_in(
        self, name: str, address: str, *, right: bool, browser: str | None = None
    ) -> int:
        """Try a password; return the s to wait, 0 if it was judged."""
        return await self._count(sign_in_counts(name, address, browser), right=right)

    async def code(self, sub: str, address: str, *, right: bool, lifetime_s: int = LIFETIME) -> int:
        """Enter a code; return the s to wait, 0 if it was looked up."""
        return await self._count(code_counts(sub, address, lifetime_s), right=right)

    async def _count(self, counts: tuple[Count, ...], *, right: bool) -> int:
        try:
            attempt = await count_try(self.limits, counts)
        except TooManyTries as refusal:
            self.refused += 1
            return refusal.wait_s
        if right:
            await asyncio.sleep(0)  # others come in between while it is judged
            await attempt.forgive()
        return 0


@pytest.fixture
def world() -> World:
    return World()


async def guesses(
    world: World, seconds: float, addresses: int, attempt: Callable[[int], Awaitable[int]]
) -> int:
    """How many guesses strangers at so many addresses get in `seconds`, each as fast as it may."""
    end = world.now + seconds
    next_at = [world.now] * addresses
    made = 0
    while (now := min(next_at)) < end:
        world.now = max(world.now, now)
        stranger = next_at.index(now)
        wait = await attempt(stranger)
        made += not wait
        next_at[stranger] = world.now + wait
    world.now = end
    return made


# Honest people


async def test_an_installer_with_a_hundred_televisions_in_an_hour(world: World) -> None:
    """Each television's browser is new. One password in six and one code in five is mistyped."""
    for television in range(100):
        world.now = television * 36
        if television % 6 == 0:
            assert await world.sign_in("installer", "203.0.113.7", right=False) == 0
        assert await world.sign_in("installer", "203.0.113.7", right=True) == 0
        if television % 5 == 0:
            assert await world.code("sub", "203.0.113.7", right=False) == 0
        assert await world.code("sub", "203.0.113.7", right=True) == 0


async def test_an_installer_who_does_it_every_day(world: World) -> None:
    for day in range(5):
        for television in range(100):
            world.now = day * DAY + television * 36
            wrong = television % 6 == 0
            assert not wrong or await world.sign_in("i", "203.0.113.7", right=False) == 0
            assert await world.sign_in("i", "203.0.113.7", right=True) == 0


async def test_a_family_behind_one_address(world: World) -> None:
    """Five people, four devices each; everybody mistypes three times."""
    for person in range(5):
        for attempt in range(7):
            world.now += 5
            right = attempt >= 3
            assert await world.sign_in(f"person-{person}", "203.0.113.7", right=right) == 0
            assert await world.code(f"sub-{person}", "203.0.113.7", right=right) == 0


async def test_a_school_behind_a_nat(world: World) -> None:
    """1,000 pupils in an hour, in classes of thirty; one in ten mistypes the password, twice."""
    chance = random.Random(9)  # noqa: S311, not a secret
    for pupil in range(1000):
        world.now = pupil // 30 * 100 + pupil % 30
        name = f"pupil-{pupil}"
        for _ in range(2 if chance.random() < 0.1 else 0):
            assert await world.sign_in(name, "203.0.113.7", right=False) == 0
        assert await world.sign_in(name, "203.0.113.7", right=True) == 0
        if chance.random() < 0.1:
            assert await world.code(name, "203.0.113.7", right=False) == 0
        assert await world.code(name, "203.0.113.7", right=True) == 0


async def test_a_bell_rings(world: World) -> None:
    """250 pupils press the button in the same second, before any password has been checked."""
    waits = await asyncio.gather(
        *(world.sign_in(f"pupil-{n}", "203.0.113.7", right=True) for n in range(250))
    )
    assert set(waits) == {0}
    assert world.limits.counted("sign-in.address", "203.0.113.7") == 0


@pytest.mark.parametrize("right", [True, False])
async def test_a_password_manager_that_sends_twice(world: World, *, right: bool) -> None:
    """All day long, every ten minutes, both at once; or six times a wrong one that it kept."""
    for time in range(144 if right else 6):
        world.now = time * 600
        both = [world.sign_in("ada", "203.0.113.7", right=right) for _ in range(2)]
        assert set(await asyncio.gather(*both)) == {0}
    assert await world.sign_in("ada", "203.0.113.7", right=True) == 0


async def test_somebody_who_has_forgotten_it(world: World) -> None:
    """Twenty passwords in ten minutes, then a pause that grows from a second to minutes."""
    for _ in range(20):
        world.now += 30
        assert await world.sign_in("ada", "203.0.113.7", right=False) == 0
    pauses = []
    for _ in range(5):
        wait = await world.sign_in("ada", "203.0.113.7", right=False)
        pauses.append(wait)
        world.now += wait
        assert await world.sign_in("ada", "203.0.113.7", right=False) == 0
    assert pauses == [1, 2, 4, 8, 16]
    assert await world.sign_in("bob", "203.0.113.7", right=True) == 0


# Strangers who guess passwords


async def test_a_stranger_with_one_address_and_one_account(world: World) -> None:
    """36 guesses in an hour, 130 in a day."""

    async def attempt(_: int) -> int:
        return await world.sign_in("ada", "198.51.100.1", right=False)

    an_hour = await guesses(world, HOUR, 1, attempt)
    assert 20 < an_hour <= 36
    assert an_hour + await guesses(world, DAY - HOUR, 1, attempt) <= 130
    assert await world.sign_in("ada", "203.0.113.7", right=True) == 0, "the owner at home"


async def test_a_stranger_who_does_not_listen_gains_nothing(world: World) -> None:
    """Refused tries do not count: neither for the stranger nor against the owner."""
    made = 0
    for second in range(HOUR):
        world.now = second
        made += await world.sign_in("ada", "198.51.100.1", right=False) == 0
    assert made <= 36
    assert world.refused >= HOUR - 36
    assert await world.sign_in("ada", "203.0.113.7", right=True) == 0


async def test_a_stranger_with_one_address_and_many_accounts(world: World) -> None:
    """Password spraying: 600 guesses in an hour, whatever the number of accounts."""
    names = iter(range(10**6))

    async def attempt(_: int) -> int:
        return await world.sign_in(f"user-{next(names) % 5000}", "198.51.100.1", right=False)

    assert await guesses(world, HOUR, 1, attempt) <= 600
    counts = {key for name, key in world.limits.tries if name == "sign-in.account"}
    assert len(counts) <= 600, "a refused try leaves nothing in the store"


async def test_a_stranger_with_a_thousand_addresses(world: World) -> None:
    """One account: 180 guesses in the first hour, 460 in a day, 300 on every day after that.

    Each guess is made at the first moment, and from the next address.
    """
    turns = itertools.count()

    async def attempt(_: int) -> int:
        turn = next(turns) % 1000
        return await world.sign_in("ada", f"198.51.{turn // 250}.{turn % 250}", right=False)

    an_hour = await guesses(world, HOUR, 1, attempt)
    assert 150 < an_hour <= 180
    a_day = an_hour + await guesses(world, DAY - HOUR, 1, attempt)
    assert a_day <= 460
    assert await guesses(world, DAY, 1, attempt) <= 300


async def test_the_owner_meanwhile(world: World) -> None:
    """In a known browser: at once, always. In a new one: after five minutes at the most."""

    async def attempt(stranger: int) -> int:
        return await world.sign_in("ada", f"198.51.{stranger // 250}.{stranger % 250}", right=False)

    await guesses(world, HOUR, 1000, attempt)
    for _ in range(50):
        assert await world.sign_in("ada", "203.0.113.7", right=True, browser="mark") == 0
    assert await world.sign_in("ada", "203.0.113.7", right=True) <= 300
    assert await world.sign_in("bob", "203.0.113.7", right=True) == 0


async def test_a_known_browser_beside_a_stranger(world: World) -> None:
    """At the very address from which somebody guesses at this account and at a thousand others."""
    for number in range(2000):
        await world.sign_in(f"user-{number}", "203.0.113.7", right=False)
        await world.sign_in("ada", "203.0.113.7", right=False)
    assert await world.sign_in("ada", "203.0.113.7", right=True, browser="mark") == 0


async def test_a_stolen_known_browser(world: World) -> None:
    """It gets no more than a new one: 36 in an hour; and a thousand of them, 180."""

    async def attempt(number: int) -> int:
        return await world.sign_in("ada", "198.51.100.1", right=False, browser=f"mark-{number}")

    assert await guesses(world, HOUR, 1, attempt) <= 36
    world.now += DAY
    assert await guesses(world, HOUR, 1000, attempt) <= 180


async def test_an_attack_with_everything_at_once(world: World) -> None:
    """1,000 tries in the same moment: what is not yet judged counts, too."""
    waits = await asyncio.gather(
        *(world.sign_in("ada", "198.51.100.1", right=False) for _ in range(1000))
    )
    assert waits.count(0) == 20


# Strangers who guess codes


@pytest.mark.parametrize("lifetime_s", [60, 600, 3600])
@pytest.mark.parametrize("addresses", [1, 1000])
async def test_guesses_at_codes_with_one_account(
    world: World, lifetime_s: int, addresses: int
) -> None:
    """Eight in the lifetime of a code, wherever in time the code's life begins."""
    made_at: list[float] = []

    async def attempt(stranger: int) -> int:
        address = f"198.51.{stranger // 250}.{stranger % 250}"
        wait = await world.code("eve", address, right=False, lifetime_s=lifetime_s)
        if not wait:
            made_at.append(world.now)
            world.now += 0.37 * lifetime_s / GUESSES_PER_LIFETIME
        return wait

    await guesses(world, 5 * lifetime_s, addresses, attempt)
    for start in made_at:
        lived = [at for at in made_at if start <= at < start + lifetime_s]
        assert len(lived) <= GUESSES_PER_LIFETIME


async def test_guesses_at_codes_with_many_accounts(world: World) -> None:
    """At one address 200 in a code's life; 1,000 addresses with an account each: 8 for each."""

    def account(stranger: int) -> str:
        return f"eve-{stranger}"

    async def at_one_address(stranger: int) -> int:
        return await world.code(account(stranger), "198.51.100.1", right=False)

    assert await guesses(world, LIFETIME, 1000, at_one_address) == 200

    async def everywhere(stranger: int) -> int:
        address = f"198.52.{stranger // 250}.{stranger % 250}"
        return await world.code(account(stranger + 1000), address, right=False)

    assert await guesses(world, LIFETIME, 1000, everywhere) == 8 * 1000


async def test_the_length_of_codes_allows_for_these_guesses(world: World) -> None:
    """Five addresses at their limit, all day: the chance of any hit is below 1 in 1,000."""

    async def attempt(stranger: int) -> int:
        account, address = f"eve-{stranger}", f"198.51.100.{stranger % 5}"
        return await world.code(account, address, right=False)

    in_a_lifetime = await guesses(world, LIFETIME, 250, attempt)
    in_a_day = in_a_lifetime * DAY / LIFETIME
    assert in_a_day <= WRONG_CODES_PER_DAY
    assert in_a_day / 20 ** length_for(UserCodeFormat(), 1) <= HITS_PER_DAY
