"""A worker with an admin port, its operators, and devices whose grants they decide."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from deviceflow.config import Device, Settings, User
from tests.stage.admin import NEXT_TOKEN, TOKENS, Operator
from tests.stage.clock import Clock
from tests.stage.oauth import CLIENTS, ISSUER, PACE_SLOTS, PEOPLE, Stage, Worker
from tests.stage.valkey import Valkey


@pytest.fixture
def settings() -> Settings:
    users = [
        User(username=name, sub=f"sub-{name}", password_hash="$argon2id$none") for name in PEOPLE
    ]
    users.append(User(username="eve", sub="sub-eve", password_hash="$argon2id$none", disabled=True))
    device = Device(pace_slots=PACE_SLOTS)
    return Settings(issuer=ISSUER, device=device, clients=CLIENTS, users=tuple(users))


@pytest.fixture
async def stage(valkey: Valkey, settings: Settings, clock: Clock) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        yield await Stage(valkey.url, settings, clock, stack).open()


@pytest.fixture
async def worker(stage: Stage) -> Worker:
    return await stage.start_worker(admin_tokens=TOKENS)


@pytest.fixture
async def other_worker(stage: Stage, worker: Worker) -> Worker:
    """Start a second worker, after `worker`."""
    assert worker in stage.workers
    return await stage.start_worker(admin_tokens=TOKENS)


@pytest.fixture
def operator(worker: Worker) -> Operator:
    return Operator(worker)


@pytest.fixture
def other_operator(other_worker: Worker) -> Operator:
    """Another operator at another worker, with the other token."""
    return Operator(other_worker, NEXT_TOKEN)
