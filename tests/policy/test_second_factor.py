"""One-time codes on a real store: each is good once, also for requests at the same time."""

import asyncio

import pytest
from msgspec.structs import replace

from deviceflow.policy.second_factor import OneTimeCodes
from deviceflow.policy.totp import STEP_S
from deviceflow.store.connection import Connection
from deviceflow.store.factors import Authenticator, FactorStore
from deviceflow.store.installation import Installation
from tests.stage.clock import Clock
from tests.stage.factors import SECRET, App

RECOVERY = "BCDFGHJKLMNPQRST"


@pytest.fixture
async def codes(connection: Connection, installation: Installation, clock: Clock) -> OneTimeCodes:
    """Those of Ada, who has an app and a recovery code."""
    store = FactorStore(connection, installation)
    app = Authenticator(secret=store.encrypted(SECRET, "ada"), added_at=1, used_step=0)
    hashes = (store.recovery_hash(RECOVERY, "ada"),)
    await store.change("ada", lambda none: replace(none, authenticator=app, recovery=hashes))
    return OneTimeCodes(store=store, clock=clock)


async def test_a_code_of_the_app_at_the_same_time(codes: OneTimeCodes, clock: Clock) -> None:
    code = App().code(clock())
    used = await asyncio.gather(*(codes.use_app_code("ada", code) for _ in range(8)))
    assert sorted(used) == [False] * 7 + [True]
    clock.advance(STEP_S)
    assert not await codes.use_app_code("ada", code)
    assert await codes.use_app_code("ada", App().code(clock()))


async def test_a_recovery_code_at_the_same_time(codes: OneTimeCodes) -> None:
    used = await asyncio.gather(*(codes.use_recovery_code("ada", RECOVERY) for _ in range(8)))
    assert sorted(used) == [False] * 7 + [True]
    assert not await codes.use_recovery_code("ada", RECOVERY)


async def test_the_codes_of_another_person(codes: OneTimeCodes, clock: Clock) -> None:
    assert not await codes.use_app_code("bob", App().code(clock()))
    assert not await codes.use_recovery_code("bob", RECOVERY)


async def test_a_secret_that_was_moved_to_another_person(codes: OneTimeCodes, clock: Clock) -> None:
    """A thief who can write to the store, and knows no key."""
    ada = await codes.store.of("ada")
    await codes.store.change("bob", lambda _: ada)
    assert not await codes.use_app_code("bob", App().code(clock()))
    assert not await codes.use_recovery_code("bob", RECOVERY)
