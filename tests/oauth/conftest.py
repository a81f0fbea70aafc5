"""The endpoints for machines, wired as in a worker, with a real Valkey.

A `Stage` has a store, any number of workers in this process, and a clock that only the test moves.
Its `people` decide at another worker, so that a decision reaches the workers under test by the
push message and the log, as in a fleet.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from deviceflow.config import Device, Server, Settings, Tokens, User
from tests.stage.clock import Clock
from tests.stage.oauth import (
    CLIENTS,
    ISSUER,
    PACE_SLOTS,
    PEOPLE,
    People,
    Stage,
    StageAt,
    Until,
    Worker,
)
from tests.stage.proving import OTHER_KEY, Holder
from tests.stage.valkey import Valkey
from tests.stage.waiting import until


@pytest.fixture
def settings() -> Settings:
    return Settings(
        issuer=ISSUER,
        server=Server(max_body_bytes=2048),
        device=Device(pace_slots=PACE_SLOTS),
        tokens=Tokens(access_token_lifetime_s=1800),
        clients=CLIENTS,
        users=tuple(
            User(
                username=name,
                sub=f"sub-{name}",
                name=name.title(),
                email=f"{name}@example.com",
                password_hash="$argon2id$none",
            )
            for name in PEOPLE
        ),
    )


@pytest.fixture
async def stage(
    valkey: Valkey, settings: Settings, clock: Clock, stage_at: StageAt
) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        yield await stage_at(valkey.url, settings, clock, stack)


@pytest.fixture
def stage_at() -> StageAt:
    """Return a function that makes a stage with a store of its own."""

    async def make(url: str, settings: Settings, clock: Clock, stack: AsyncExitStack) -> Stage:
        return await Stage(url, settings, clock, stack).open()

    return make


@pytest.fixture(name="until")
def until_fixture() -> Until:
    """Return a function that waits for a condition."""
    return until


@pytest.fixture
async def worker(stage: Stage) -> Worker:
    return await stage.start_worker()


@pytest.fixture
async def other_worker(stage: Stage, worker: Worker) -> Worker:
    """Start a second worker, after `worker`."""
    assert worker in stage.workers
    return await stage.start_worker()


@pytest.fixture
def people(stage: Stage) -> People:
    return stage.people


@pytest.fixture
async def holder(worker: Worker, clock: Clock) -> Holder:
    """Make a device with a key and a fresh nonce."""
    made = Holder(clock)
    await made.learn_nonce(worker)
    return made


@pytest.fixture
def thief(holder: Holder, clock: Clock) -> Holder:
    """Make a thief with another key and the nonce."""
    made = Holder(clock, OTHER_KEY)
    made.nonce = holder.nonce
    return made
