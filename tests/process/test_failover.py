"""The store fails over under a running server: a Sentinel switches, a shard's replica takes over.

With durability "replicated", whatever was acknowledged is there afterwards.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from redis.crc import key_slot

from deviceflow.store import keyspace
from tests.stage.process import MakeProgram, NewBrowser, NewDevice
from tests.stage.program import Program
from tests.stage.shapes import SLOTS, Cluster, ManyServers, Sentinels
from tests.stage.waiting import until_outside
from tests.stage.wire import PASSWORD, Answer, Browser, Device

# A replica is left after the failover, so that decisions can be acknowledged again.
STORES: dict[str, Callable[[], ManyServers]] = {
    "sentinel": lambda: Sentinels(replicas=2),
    "cluster": lambda: Cluster(replicas=6),
}
A_WHILE_S = 30
MANY = 6
"""Devices: with three shards, hardly all of their grants are in one."""


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[ManyServers]:
    with STORES[request.param]() as running:
        yield running


@pytest.fixture
def program(make_program: MakeProgram, store: ManyServers) -> Program:
    durability = {"DEVICEFLOW_REDIS_DURABILITY": "replicated"}
    return make_program("--workers", "2", "--redis-url", store.url, variables=durability)


def fail_over(store: ManyServers) -> None:
    """Kill the primary, in a Cluster that of the decision log."""
    place = 0
    if isinstance(store, Cluster):
        place = key_slot(keyspace.DECISIONS.encode()) * store.primaries // SLOTS
    store.servers[place].kill()


def until_replicated(store: ManyServers) -> None:
    """Wait until a replica of each primary has what was written until now."""
    for server in store.servers:
        with server.client() as client:
            if client.info("replication")["role"] == "master":
                client.execute_command("PUBLISH", "replicated", "")  # WAIT counts from a write
                assert client.execute_command("WAIT", 1, 60_000)


def has_decided(browser: Browser, user_code: str, decision: str = "approve") -> bool:
    """Go as far as the pages allow just now; say whether that was to the end."""
    answer = browser.open(f"/device?user_code={user_code}")
    if _is_at(answer, "/login"):
        answer = browser.submit("/login", username="ada", password=PASSWORD)
    if _is_at(answer, "/device"):
        answer = browser.submit("/device", user_code=user_code)
    if _is_at(answer, "/device/confirm"):
        answer = browser.submit("/device", user_code=user_code, decision=decision)
    return _is_at(answer, "/device/done")


def _is_at(answer: Answer, path: str) -> bool:
    return answer.status == 200 and answer.url.partition("?")[0].endswith(path)


def ends(device: Device, outcome: str) -> bool:
    """Poll; say whether it has come to this end. The other end must not come."""
    answer = device.poll()
    told = "tokens" if answer.status == 200 else str(answer.body["error"])
    assert told in {outcome, "authorization_pending", "slow_down", "temporarily_unavailable"}
    return told == outcome


def refreshes(device: Device) -> bool:
    """Refresh; say whether the store took it."""
    status = device.refresh().status
    assert status in {200, 503}
    return status == 200


def test_decisions_from_before_and_after(
    store: ManyServers, device: NewDevice, browser: NewBrowser
) -> None:
    approved, denied, later = ([device().authorize() for _ in range(MANY)] for _ in range(3))
    person = browser()
    for one in approved:
        until_outside(partial(has_decided, person, one.user_code))
    for one in denied:
        until_outside(partial(has_decided, person, one.user_code, "deny"))
    fail_over(store)
    for one in later:
        until_outside(partial(has_decided, person, one.user_code))
    for one in approved + later:
        until_outside(partial(ends, one, "tokens"))
    for one in denied:
        until_outside(partial(ends, one, "access_denied"))
    assert len({one.tokens["refresh_token"] for one in approved + later}) == 2 * MANY


def test_a_device_stays_signed_in(
    store: ManyServers, device: NewDevice, browser: NewBrowser
) -> None:
    devices = [device().authorize(scope="openid offline_access") for _ in range(MANY)]
    person = browser()
    for one in devices:
        until_outside(partial(has_decided, person, one.user_code))
        until_outside(partial(ends, one, "tokens"))
    fail_over(store)
    for one in devices:
        first = one.tokens["refresh_token"]
        for _ in range(2):
            until_outside(partial(refreshes, one))
        assert one.tokens["refresh_token"] != first


def test_a_held_poll_from_before(
    store: ManyServers, device: NewDevice, browser: NewBrowser
) -> None:
    """It is answered by the approval that the store took after the failover."""
    waiting = device().authorize()
    with ThreadPoolExecutor() as pool:
        held = pool.submit(waiting.poll, A_WHILE_S)
        # Only decisions are confirmed by replicas: a grant that is as young as this may be lost.
        until_replicated(store)
        fail_over(store)
        until_outside(lambda: has_decided(browser(), waiting.user_code))
        held.result()
    until_outside(lambda: ends(waiting, "tokens"))
