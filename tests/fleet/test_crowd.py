"""People at work: a decision is acknowledged, tried again, or refused."""

import asyncio

import pytest

from deviceflow.conformance.decisions import ToDecide, Undecided
from deviceflow.fleet import crowd
from deviceflow.fleet.crowd import Crowd, NotNow
from deviceflow.fleet.share import LoopTime
from deviceflow.fleet.verdict import Grant
from deviceflow.fleet.world import Deciding
from tests.stage.virtual_world import APPROVING, Stand
from tests.stage.waiting import until

WHAT = ToDecide(
    user_code="ABCD", verification_uri="x", verification_uri_complete=None, choice="approve"
)


class Scripted:
    """A way to decide that fails as it is told."""

    can_guess = False

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.under_way = self.most = 0

    async def decide(self, grant: ToDecide) -> None:
        assert grant == WHAT
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if self.failures:
            raise self.failures.pop(0)

    async def close(self) -> None:
        self.failures.append(RuntimeError("closed"))


def deciding() -> Deciding:
    grant = Grant(expires_at=600.0, expired_by=600.0, choice="approve")
    return Deciding(Stand(people=APPROVING).world, grant)


async def test_a_decision_is_acknowledged() -> None:
    way, one = Scripted(), deciding()
    people = Crowd(way, LoopTime(0.0), at_once=1)
    people.decide(WHAT, one)
    await until(lambda: one.grant.decided_at is not None)
    await people.close()
    assert one.world.tally.events["approvals"] == 1
    assert way.failures, "what was opened is closed"


async def test_a_server_that_cannot_now_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "PRESS_AGAIN_S", 0.0)
    one = deciding()
    people = Crowd(Scripted(NotNow("the API answers 503")), LoopTime(0.0), at_once=1)
    people.decide(WHAT, one)
    await until(lambda: one.grant.decided_at is not None)
    await people.close()
    assert one.world.tally.errors == {"decision: the API answers 503": 1}


async def test_a_refused_decision_is_counted_without_what_a_program_says() -> None:
    one = deciding()
    people = Crowd(Scripted(Undecided("status 1: code ABCD")), LoopTime(0.0), at_once=1)
    people.decide(WHAT, one)
    await until(lambda: one.world.tally.errors)
    await people.close()
    assert one.world.tally.errors == {"decision: status 1": 1}
    assert one.grant.decided_at is None


async def test_a_browser_that_fails_is_counted_without_the_address() -> None:
    one = deciding()
    people = Crowd(Scripted(RuntimeError("no page at /device?user_code=ABCD")), LoopTime(0.0), 1)
    people.decide(WHAT, one)
    await until(lambda: one.world.tally.errors)
    await people.close()
    assert one.world.tally.errors == {"decision: RuntimeError": 1}


async def test_only_so_many_decide_at_once() -> None:
    way, all_of_them = Scripted(), [deciding() for _ in range(10)]
    people = Crowd(way, LoopTime(0.0), at_once=3)
    for one in all_of_them:
        people.decide(WHAT, one)
    await until(lambda: all(one.grant.decided_at is not None for one in all_of_them))
    await people.close()
    assert way.most == 3


async def test_nobody_decides_for_a_device_that_has_gone() -> None:
    one = deciding()
    one.grant.is_over = True
    people = Crowd(Scripted(), LoopTime(0.0), at_once=1)
    people.decide(WHAT, one)
    await asyncio.sleep(0)
    await people.close()
    assert one.grant.decided_at is None


async def test_a_decision_that_waits_for_its_turn_may_be_too_late() -> None:
    way, first, second = Scripted(), deciding(), deciding()
    people = Crowd(way, LoopTime(0.0), at_once=1)
    people.decide(WHAT, first)
    people.decide(WHAT, second)
    await asyncio.sleep(0)
    assert way.under_way == 1
    second.grant.is_over = True
    await until(lambda: first.grant.decided_at is not None)
    for _ in range(5):
        await asyncio.sleep(0)
    await people.close()
    assert second.grant.decided_at is None
