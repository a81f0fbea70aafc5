"""What a worker knows while its store is away, hangs, or has lost its data."""

import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store import keyspace
from deviceflow.store.connection import DEADLINE_S, Connection
from deviceflow.store.errors import StoreUnavailable
from tests.stage.store import LIFETIME_S, Store
from tests.stage.valkey import Valkey
from tests.stage.waiting import in_time, until


@pytest.fixture
def fast(own: Store) -> Store:
    """A worker whose feed looks at the store fifty times a second."""
    return replace(own, catch_up_s=0.02)


@pytest.fixture
async def fed(fast: Store) -> AsyncIterator[Store]:
    """The same; it is fed and has seen its store."""
    async with fast.fed():
        await until(lambda: fast.feed.reachable)
        yield fast


async def test_while_the_store_is_away_pending_stays_pending(
    fed: Store, own_valkey: Valkey
) -> None:
    grant, denied = await fed.grant(), await fed.grant()
    await fed.grants.decide(denied, Event.CANCEL)
    own_valkey.kill()
    await until(lambda: not fed.feed.reachable)
    assert fed.mirror.state_of(grant.id) is State.PENDING
    assert fed.mirror.state_of(denied.id) is State.CANCELLED


async def test_the_store_s_going_and_coming_is_told_once_each(
    fast: Store, own_valkey: Valkey
) -> None:
    with capture_logs() as logs:
        async with fast.fed():
            await until(lambda: fast.feed.reachable)
            own_valkey.kill()
            await until(lambda: not fast.feed.reachable)
            own_valkey.start()
            await until(lambda: fast.feed.reachable)
    events = [entry["event"] for entry in logs if entry["event"] != "store.data_lost"]
    assert events == ["store.reachable", "store.unreachable", "store.reachable"]


async def test_a_store_that_hangs_is_unreachable_until_it_goes_on(
    own_valkey: Valkey, fast: Store
) -> None:
    """It accepts connections and says nothing."""
    fast.connection.deadline_s = 0.25
    async with fast.fed():
        await until(lambda: fast.feed.reachable)
        grant = await fast.grant()
        own_valkey.signal(signal.SIGSTOP)
        await until(lambda: not fast.feed.reachable)
        with pytest.raises(StoreUnavailable):
            await fast.grants.decide(grant, Event.CANCEL)
        own_valkey.signal(signal.SIGCONT)
        await until(lambda: fast.feed.reachable)
        assert await fast.grants.decide(grant, Event.CANCEL) is Outcome.CHANGED


async def test_a_command_to_a_store_that_hangs_ends(own_valkey: Valkey, own: Store) -> None:
    """With all the repetitions of redis-py, which repeats the connecting too each time."""
    assert own.connection.deadline_s == DEADLINE_S <= 5
    own_valkey.signal(signal.SIGSTOP)
    hasty = Connection(own.connection.shape, deadline_s=0.1)
    worker = replace(own, connection=hasty)
    for attempt in (
        hasty.command("PING"),
        worker.issue(),
        worker.limits.hit("a", "b", limit=1, window_s=1),
    ):
        # Far longer than the deadline, and shorter than what redis-py would take.
        with pytest.raises(StoreUnavailable):
            await in_time(attempt, 5)
    own_valkey.signal(signal.SIGCONT)
    assert await own.connection.command("PING")


async def test_after_a_loss_old_codes_have_expired_and_new_grants_work(fed: Store) -> None:
    """Devices start over instead of waiting for nothing."""
    issued, decided = await fed.issue(), await fed.approved()
    epoch = fed.installation.epoch
    with capture_logs() as logs:
        await fed.connection.command("FLUSHALL")
        await until(lambda: fed.installation.epoch != epoch)
        await until(lambda: len(fed.mirror) == 0)
        opened = fed.installation.codes.open(issued.device_code.encode(), b"tv-app")
        assert opened is not None
        assert opened.expires_at == 0
        assert fed.mirror.state_of(decided.id) is State.PENDING
        grant = await fed.approved()
        await fed.feed.catch_up()
    assert fed.mirror.state_of(grant.id) is State.APPROVED
    assert await fed.grants.redeem(grant, None) is Outcome.CHANGED
    assert [entry["event"] for entry in logs] == ["store.data_lost"], "once, not for ever"


async def test_a_store_that_comes_back_empty_is_a_loss_too(fed: Store, own_valkey: Valkey) -> None:
    issued = await fed.issue()
    own_valkey.kill()
    await until(lambda: not fed.feed.reachable)
    own_valkey.start()
    await until(lambda: fed.feed.reachable)
    opened = fed.installation.codes.open(issued.device_code.encode(), b"tv-app")
    assert opened is not None
    assert opened.expires_at == 0


async def test_after_a_loss_workers_agree_on_the_new_secrets(
    fed: Store, own_valkey: Valkey
) -> None:
    other_connection = Connection.open(own_valkey.url)
    fields = await fed.connection.command("HGETALL", keyspace.INSTALLATION)
    other = Store(other_connection, type(fed.installation)(fields), fed.clock)
    async with other.fed():
        await until(lambda: other.feed.reachable)
        epoch = fed.installation.epoch
        await fed.connection.command("FLUSHALL")
        await until(lambda: epoch not in (fed.installation.epoch, other.installation.epoch))
        assert fed.installation.epoch == other.installation.epoch
        grant = await fed.grant(LIFETIME_S)
        assert await other.grants.decide(grant, Event.CANCEL) is Outcome.CHANGED
        await until(lambda: fed.mirror.state_of(grant.id) is State.CANCELLED)
    await other_connection.close()
