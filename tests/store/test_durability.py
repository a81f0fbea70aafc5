"""Durability "replicated", with a real replica: acknowledged is what a second server has."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from unittest import mock

import pytest

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection, Durability
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.grants import Grants
from deviceflow.store.installation import Installation
from tests.stage.clock import Clock
from tests.stage.lossy import lossy_path
from tests.stage.store import ADA, Store
from tests.stage.valkey import Valkey

StartValkey = Callable[..., Valkey]

FAST_SYNC = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}


# A replica that is there needs time on a busy machine; one that is not is not waited for.
PATIENT = Durability(replicas=1, timeout_ms=20_000)
IMPATIENT = Durability(replicas=1, timeout_ms=200)


@pytest.fixture
def primary(start_valkey: StartValkey) -> Valkey:
    return start_valkey(FAST_SYNC, tcp=True)


@pytest.fixture
async def replicated(primary: Valkey, clock: Clock) -> AsyncIterator[Store]:
    connection = Connection.open(primary.url, PATIENT)
    yield Store(connection, await Installation.open(connection), clock)
    await connection.close()


async def replica_of(primary: Valkey, start_valkey: StartValkey, store: Store) -> Valkey:
    """A replica that has caught up."""
    replica = start_valkey({"replicaof": f"127.0.0.1 {primary.port}"})
    async with store.connection.pipeline() as pipe:
        pipe.set("written", "before", ex=60)
        pipe.execute_command("WAIT", 1, PATIENT.timeout_ms)
        _, replicas = await pipe.execute()
    assert replicas == 1
    return replica


async def test_with_a_replica_decisions_are_acknowledged(
    primary: Valkey, replicated: Store, start_valkey: StartValkey
) -> None:
    replica = await replica_of(primary, start_valkey, replicated)
    grant = await replicated.approved()
    token, redemption = replicated.redemption(grant)
    assert await replicated.grants.redeem(grant, redemption) is Outcome.CHANGED
    successor = await replicated.families.rotate(token, redemption.family)
    assert successor is not None
    with replica.client() as client:
        key = replicated.grants._key(grant.id)
        assert client.hget(key, "state") == b"redeemed"
        assert client.hget(keyspace.family(token.name), "next") == successor.hash.encode()


async def test_without_a_replica_nothing_is_acknowledged(replicated: Store) -> None:
    """Too few replicas is a 503, not a token."""
    grant = await replicated.grant()
    replicated.connection.durability = IMPATIENT
    _, redemption = replicated.redemption(grant)
    for attempt in (
        replicated.grants.claim(grant, ADA.sub),
        replicated.grants.decide(grant, Event.APPROVE, ADA),
        replicated.grants.redeem(grant, redemption),
    ):
        with pytest.raises(StoreUnavailable, match="too few replicas"):
            await attempt


async def test_what_was_not_acknowledged_is_announced_to_nobody(replicated: Store) -> None:
    grant = await replicated.grant()
    replicated.connection.durability = IMPATIENT
    with pytest.raises(StoreUnavailable):
        await replicated.grants.decide(grant, Event.CANCEL)
    assert replicated.mirror.state_of(grant.id) is State.PENDING
    await replicated.feed.catch_up()
    assert replicated.mirror.state_of(grant.id) is None, "it may have happened: ask"


async def test_a_repeated_command_waits_for_the_replica_too(
    primary: Valkey, replicated: Store, start_valkey: StartValkey, clock: Clock
) -> None:
    """WAIT speaks of its own connection's writes; a repetition comes over a new one.

    It finds the change made, and must not take "nothing written here" for "replicated".
    """
    replica = await replica_of(primary, start_valkey, replicated)
    grant, (token, family) = await replicated.approved(), await replicated.family()
    async with lossy_path(primary.socket_path) as path:
        far = Connection.open(path.url, IMPATIENT)
        distant = Store(far, replicated.installation, clock)
        await far.command("PING")
        replica.signal(signal.SIGSTOP)
        path.lose_answers(b"EVALSHA")
        with pytest.raises(StoreUnavailable, match="too few replicas"), no_hint():
            await distant.grants.redeem(grant, None)
        path.lose_answers(b"EVALSHA")
        with pytest.raises(StoreUnavailable, match="too few replicas"):
            await distant.families.rotate(token, family)
        assert path.lost == 2
        await far.close()


async def test_while_the_replica_is_away_nothing_changes(
    primary: Valkey, replicated: Store, start_valkey: StartValkey
) -> None:
    """The replicas are looked at first: an approved device loses nothing but time."""
    replica = await replica_of(primary, start_valkey, replicated)
    approved, claimed = await replicated.approved(), await replicated.grant()
    await replicated.grants.claim(claimed, ADA.sub)
    replica.signal(signal.SIGSTOP)
    replicated.connection.durability = IMPATIENT
    for attempt in (
        replicated.grants.redeem(approved, None),
        replicated.grants.decide(claimed, Event.APPROVE, ADA),
        replicated.grants.decide(claimed, Event.DENY, ADA),
        replicated.grants.decide(claimed, Event.CANCEL),
    ):
        with pytest.raises(StoreUnavailable, match="too few replicas"):
            await attempt
    assert await replicated.grants.state_of(approved.id) is State.APPROVED
    assert await replicated.grants.state_of(claimed.id) is State.PENDING
    replica.signal(signal.SIGCONT)
    replicated.connection.durability = PATIENT
    assert await replicated.grants.redeem(approved, None) is Outcome.CHANGED
    assert await replicated.grants.decide(claimed, Event.APPROVE, ADA) is Outcome.CHANGED


async def test_a_redemption_that_no_replica_has_is_confirmed_by_its_repetition(
    primary: Valkey, replicated: Store, start_valkey: StartValkey
) -> None:
    """The replica stops between the look at it and the change: the code is not burnt."""
    replica = await replica_of(primary, start_valkey, replicated)
    grant, tokens = await replicated.approved(), replicated.tokens()
    name = replicated.grants.family_name(grant.id)
    kept = replicated.redemptions.repeatable(tokens, 3600)
    replica.signal(signal.SIGSTOP)
    replicated.connection.durability = IMPATIENT
    with pytest.raises(StoreUnavailable, match="too few replicas"), no_hint():
        await replicated.grants.redeem(grant, None, kept)
    assert await replicated.grants.state_of(grant.id) is State.REDEEMED
    with pytest.raises(StoreUnavailable, match="too few replicas"):
        await replicated.redemptions.find(name)
    replica.signal(signal.SIGCONT)
    replicated.connection.durability = PATIENT
    assert await replicated.redemptions.find(name) == tokens
    with replica.client() as client:
        assert client.hget(replicated.grants._key(grant.id), "state") == b"redeemed"


@pytest.mark.parametrize("event", [Event.APPROVE, Event.DENY, Event.CANCEL])
async def test_a_decision_that_no_replica_has_is_confirmed_by_the_next_click(
    primary: Valkey, replicated: Store, start_valkey: StartValkey, event: Event
) -> None:
    replica = await replica_of(primary, start_valkey, replicated)
    grant = await replicated.grant()
    await replicated.grants.claim(grant, ADA.sub)
    replica.signal(signal.SIGSTOP)
    replicated.connection.durability = IMPATIENT
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="too few replicas"), no_hint():
            await replicated.grants.decide(grant, event, ADA)
    assert await replicated.grants.state_of(grant.id) is not State.PENDING
    replica.signal(signal.SIGCONT)
    replicated.connection.durability = PATIENT
    assert await replicated.grants.decide(grant, event, ADA) is Outcome.CHANGED
    with replica.client() as client:
        assert client.hget(replicated.grants._key(grant.id), "state") != b"pending"


def no_hint() -> AbstractContextManager[object]:
    """Leave out the step before the change, at which the replicas are looked at."""
    return mock.patch.object(Grants, "_hint")


async def test_a_replica_that_stopped_counts_no_more(
    primary: Valkey, replicated: Store, start_valkey: StartValkey
) -> None:
    replica = await replica_of(primary, start_valkey, replicated)
    grant = await replicated.approved()
    replica.kill()
    replicated.connection.durability = IMPATIENT
    with pytest.raises(StoreUnavailable):
        await replicated.grants.redeem(grant, None)


async def test_a_replica_takes_no_decisions(
    primary: Valkey, replicated: Store, start_valkey: StartValkey, clock: Clock
) -> None:
    """A failover that our side has not heard of: READONLY is a condition that passes."""
    replica = await replica_of(primary, start_valkey, replicated)
    grant = await replicated.approved()
    connection = Connection.open(replica.url)
    store = Store(connection, await Installation.open(replicated.connection), clock)
    with pytest.raises(StoreUnavailable):
        await store.grants.redeem(grant, None)
    with pytest.raises(StoreUnavailable):
        await store.issue()
    assert await store.grants.state_of(grant.id) is State.APPROVED
    await connection.command("REPLICAOF", "NO", "ONE")
    assert await store.grants.redeem(grant, None) is Outcome.CHANGED
    await connection.close()
