"""A try counts under all of its rules, or under none."""

import pytest

from deviceflow.policy.rules import (
    SIGN_IN_ADDRESS,
    Count,
    Rule,
    sign_in_counts,
)
from deviceflow.policy.tries import TooManyTries, count_try
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.limits import Limits
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


async def test_refused_sign_ins_leave_nothing_in_the_store(
    connection: Connection, installation: Installation
) -> None:
    """Beyond the limit of an address, a refused try does not even write, whatever name it has."""
    limits = Limits(connection, installation)
    room = SIGN_IN_ADDRESS.limit
    names = [f"nobody-{number}" for number in range(room + 400)]
    for name in names[:room]:
        await count_try(limits, sign_in_counts(name, "203.0.113.7", None))
    before = await written(connection)
    for name in names[room:]:
        with pytest.raises(TooManyTries) as refusal:
            await count_try(limits, sign_in_counts(name, "203.0.113.7", None))
        assert refusal.value.rule is SIGN_IN_ADDRESS
    assert await written(connection) == before


async def test_a_refusal_by_a_special_rule_leaves_no_key(
    connection: Connection, installation: Installation
) -> None:
    limits = Limits(connection, installation)
    wide = Count(Rule("wide", "address", 2, 60), "here")
    await count_try(limits, [wide, NARROW])
    keys = await connection.command("DBSIZE")
    for _ in range(50):
        with pytest.raises(TooManyTries) as refusal:
            await count_try(limits, [wide, NARROW])
        assert refusal.value.rule is NARROW.rule
    assert await connection.command("DBSIZE") == keys
    await count_try(limits, [wide])  # has room: the refused tries were taken back


async def written(connection: Connection) -> int:
    """How many changes the store has made."""
    info = await connection.command("INFO", "persistence")
    return int(info["rdb_changes_since_last_save"])
