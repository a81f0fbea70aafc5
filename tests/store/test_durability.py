"""Durability "replicated", with a real replica: acknowledged is what a second server has."""

import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from structlog.testing import capture_logs

from deviceflow.core.grant import Event, Outcome, State
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.metrics.watches import StoreWatch
from deviceflow.store import keyspace
from deviceflow.store.connection import Connection, Durability
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.grants import Grants
from deviceflow.store.installation import Installation
from tests.stage.clock import Clock
from tests.stage.lossy import lossy_path
from tests.stage.store import ADA, Store
from tests.stage.valkey import Valkey
from tests.stage.waiting import subscribed, until

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
    await _wait_for_replica(store)
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
    """Leave out the steps before the change, at which the replicas are looked at."""
    steps = {"_hint": mock.AsyncMock(), "_list_device": mock.AsyncMock()}
    return mock.patch.multiple(Grants, **steps)


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


OFTEN_S = 0.01
REFUSES = {"event": "store.refuses", "reason": "READONLY"}


async def test_a_demoted_primary_is_left(
    primary: Valkey, replicated: Store, start_valkey: StartValkey, clock: Clock
) -> None:
    """A planned failover: the address leads to the new primary, and the old one cuts nothing."""
    second = start_valkey({**FAST_SYNC, "replicaof": f"127.0.0.1 {primary.port}"}, tcp=True)
    with TemporaryDirectory(prefix="df-") as folder:
        address = Path(folder) / "address"
        address.symlink_to(primary.socket_path)
        connection = Connection.open(f"unix://{address}")
        store = Store(connection, replicated.installation, clock, catch_up_s=OFTEN_S)
        with capture_logs() as logs:
            async with store.fed():
                await until(lambda: store.feed.reachable)
                await subscribed(connection)
                grant = await store.grant()
                await _wait_for_replica(replicated)

                with second.client() as client:
                    client.replicaof("NO", "ONE")
                address.unlink()
                address.symlink_to(second.socket_path)
                with primary.client() as client:
                    client.replicaof("127.0.0.1", second.port)

                await until(lambda: _events(logs)[-1:] == ["store.accepts"])
                # It was left by a look: no person had to try first.
                assert await store.grants.decide(grant, Event.CANCEL) is Outcome.CHANGED
                await subscribed(connection)
                with primary.client() as client:
                    await until(lambda: not client.client_list(_type="pubsub"))
                    assert client.hget(store.grants._key(grant.id), "state") != b"pending"
        assert _events(logs) == ["store.reachable", "store.refuses", "store.accepts"]
        assert REFUSES.items() <= logs[1].items()
        await connection.close()


async def test_a_refused_write_leaves_a_demoted_primary_at_once(
    primary: Valkey, replicated: Store, start_valkey: StartValkey, clock: Clock
) -> None:
    """Before the next look: only the first person has to press the button again."""
    second = start_valkey({**FAST_SYNC, "replicaof": f"127.0.0.1 {primary.port}"}, tcp=True)
    with TemporaryDirectory(prefix="df-") as folder:
        address = Path(folder) / "address"
        address.symlink_to(second.socket_path)
        connection = Connection.open(f"unix://{address}")
        store = Store(connection, replicated.installation, clock)
        grant = await replicated.grant()
        await _wait_for_replica(replicated)
        with pytest.raises(StoreUnavailable, match="READONLY"):
            await store.grants.decide(grant, Event.CANCEL)
        address.unlink()
        address.symlink_to(primary.socket_path)
        assert await store.grants.decide(grant, Event.CANCEL) is Outcome.CHANGED
        await connection.close()


async def _refused(store: Store, times: int) -> None:
    """Send so many commands that the store refuses."""
    for _ in range(times):
        with pytest.raises(StoreUnavailable):
            await store.connection.command("SET", "df:x", "1")


@pytest.mark.parametrize(
    ("option", "refusing", "taking", "reason"),
    [
        ("maxmemory", "1", "0", "OOM"),
        ("min-replicas-to-write", "1", "0", "NOREPLICAS"),
    ],
)
async def test_a_store_that_refuses_says_so_once(
    primary: Valkey, replicated: Store, option: str, refusing: str, taking: str, reason: str
) -> None:
    """It can be read all the time, so nothing else shows it. The end says how much it refused."""
    replicated.connection.watch = StoreWatch(Recorder.alone())
    with capture_logs() as logs, primary.client() as client:
        await replicated.feed.catch_up()
        assert replicated.feed.refusal is None
        client.config_set(option, refusing)
        for _ in range(3):
            await replicated.feed.catch_up()
            assert replicated.feed.refusal == reason
        await _refused(replicated, 3)
        client.config_set(option, taking)
        for _ in range(3):
            await replicated.feed.catch_up()
            assert replicated.feed.refusal is None
        assert client.exists(keyspace.PROBE) == 0
    assert _events(logs) == ["store.refuses", "store.accepts"]
    assert logs[0]["reason"] == reason
    assert logs[1]["refused"] == 3


async def _wait_for_replica(store: Store) -> None:
    written = ("SET", "df:written", "now", "EX", 60)
    assert (await store.connection.batch(written, ("WAIT", 1, PATIENT.timeout_ms)))[1] == 1


def _events(logs: Iterable[Mapping[str, object]]) -> list[object]:
    return [line["event"] for line in logs]
