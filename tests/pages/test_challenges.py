"""Challenges: one browser, one purpose, some minutes, once."""

from hypothesis import given
from hypothesis import strategies as st

from deviceflow.pages.challenges import LIVES_S, Challenges
from tests.stage.clock import Clock
from tests.stage.pages import KEY, FakeReplay


def challenges(clock: Clock) -> Challenges:
    return Challenges(keys=lambda: (KEY,), replay=FakeReplay(), clock=clock)


@given(cookie=st.text(), purpose=st.text())
def test_a_challenge_is_for_one_browser_and_purpose(cookie: str, purpose: str) -> None:
    cookie, purpose = (text.encode(errors="replace").decode() for text in (cookie, purpose))
    made = challenges(Clock(1000)).make(cookie, purpose)
    again = challenges(Clock(1000 + LIVES_S - 1))
    assert again.is_good(made, cookie, purpose)
    assert not again.is_good(made, f"{cookie}x", purpose)
    assert not again.is_good(made, cookie, f"{purpose}x")
    assert not challenges(Clock(1000 + LIVES_S)).is_good(made, cookie, purpose)


@given(challenge=st.binary(max_size=80))
def test_anything_else_is_none(challenge: bytes) -> None:
    assert not challenges(Clock(1000)).is_good(challenge, "cookie", "sign-in")


def test_no_two_are_the_same() -> None:
    made = challenges(Clock(1000))
    assert len({made.make("cookie", "sign-in") for _ in range(100)}) == 100


async def test_each_is_used_once() -> None:
    made = challenges(Clock(1000))
    first, second = made.make("cookie", "sign-in"), made.make("cookie", "sign-in")
    assert await made.use(first)
    assert not await made.use(first)
    assert await made.use(second)
