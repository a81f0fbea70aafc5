"""How often a client may fail to authenticate (RFC 6749 2.3.1)."""

from base64 import b64encode
from typing import Any, cast

import pytest

from deviceflow.audit.journal import Audit
from deviceflow.config import Settings
from deviceflow.core import assertion
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.oauth.clients import failures
from deviceflow.oauth.clients.failures import (
    SHUT_OUT_REMEMBERED,
    FailureThrottle,
    Guesser,
)
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.policy.rules import CLIENT_FAILURE, CLIENT_FAILURE_ADDRESS
from tests.stage.clock import Clock
from tests.stage.limits import MemoryLimits
from tests.stage.oauth import SECRET, People, Worker
from tests.stage.proving import AUTHORIZE, TOKEN, with_surface

FAILURES_PER_WINDOW, FAILURE_WINDOW_S = CLIENT_FAILURE.limit, CLIENT_FAILURE.window_s
INVALID_CLIENT = (401, "invalid_client")
TOO_MANY = (429, "temporarily_unavailable")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_surface(settings)


async def test_honest_devices_of_a_client_that_is_guessed(
    worker: Worker, people: People, clock: Clock
) -> None:
    """6749-2.3.1-c, 8628-3.5-b: at the same address, they go on polling, and get their tokens."""
    client = {"client_id": "box", "client_secret": SECRET}
    grant = await worker.post(AUTHORIZE, client)
    for _ in range(FAILURES_PER_WINDOW + 1):
        await worker.post(AUTHORIZE, client | {"client_secret": "guess"})
    poll = {"grant_type": DEVICE_CODE_GRANT, "device_code": grant.body["device_code"]}
    for secret in (SECRET, "guess"):
        told = await worker.post(TOKEN, client | poll | {"client_secret": secret})
        assert told.outcome == (400, "slow_down")
        assert "interval" not in told.body
        assert 0 < int(told.headers["Retry-After"]) <= FAILURE_WINDOW_S
    refresh = client | {"grant_type": "refresh_token", "refresh_token": "x"}
    assert (await worker.post(TOKEN, refresh)).outcome == TOO_MANY
    await people.approve(grant.body["user_code"])
    clock.advance(FAILURE_WINDOW_S + 1)
    assert (await worker.post(TOKEN, client | poll)).status == 200


async def test_the_poll_that_fails_once_too_often(worker: Worker) -> None:
    """6749-2.3.1-c: is answered like those that follow."""
    poll = {"grant_type": DEVICE_CODE_GRANT, "device_code": "x" * 43}
    guess = {"client_id": "box", "client_secret": "guess"} | poll
    for _ in range(FAILURES_PER_WINDOW):
        assert (await worker.post(TOKEN, guess)).outcome == INVALID_CLIENT
    for _ in range(2):
        assert (await worker.post(TOKEN, guess)).outcome == (400, "slow_down")


async def test_who_guesses_is_throttled(behind_proxy: Worker, clock: Clock) -> None:
    """6749-2.3.1-c, 7009-5-a: there, and nobody else: no other client, no other address."""

    async def ask(secret: str, client_id: str = "box", address: str = "203.0.113.7") -> Any:  # noqa: ANN401
        form = {"client_id": client_id, "client_secret": secret}
        answer = await behind_proxy.post(AUTHORIZE, form, headers={"X-Forwarded-For": address})
        return answer if answer.status == 429 else answer.outcome

    for _ in range(FAILURES_PER_WINDOW):
        assert await ask("guess") == INVALID_CLIENT
    for secret in ("guess", SECRET):
        refused = await ask(secret)
        assert refused.outcome == TOO_MANY
        assert 0 < int(refused.headers["Retry-After"]) <= FAILURE_WINDOW_S
    assert await ask(SECRET, address="203.0.113.8") == (200, "")
    assert await ask("wrong", client_id="rs") == INVALID_CLIENT
    assert (await behind_proxy.authorize()).status == 200
    clock.advance(FAILURE_WINDOW_S + 1)
    assert await ask(SECRET) == (200, "")


async def test_honest_clients_never_count(worker: Worker) -> None:
    """6749-2.3.1-c: good secrets, and public clients that nobody knows, fill no counter."""
    for _ in range(FAILURES_PER_WINDOW + 5):
        good = await worker.authorize("box", client_secret=SECRET)
        assert good.status == 200
        assert (await worker.authorize("nobody")).outcome == INVALID_CLIENT
        # golang.org/x/oauth2 tries this before each poll of a public client.
        header = {"Authorization": "Basic " + b64encode(b"tv-app:").decode()}
        assert (await worker.post(AUTHORIZE, {}, headers=header)).status == 200


GUESSER = Guesser("203.0.113.7", "box")


@pytest.fixture
def throttle(clock: Clock) -> FailureThrottle:
    return FailureThrottle(MemoryLimits(clock), clock, Audit(recorder=Recorder.alone()))


async def shut_out(throttle: FailureThrottle) -> None:
    for _ in range(FAILURES_PER_WINDOW):
        assert await throttle.count(GUESSER) == 0
        assert throttle.wait_s(GUESSER) == 0
    assert await throttle.count(GUESSER) == FAILURE_WINDOW_S


async def test_a_worker_remembers_whom_it_shut_out(throttle: FailureThrottle, clock: Clock) -> None:
    """Until the window ends, in whole seconds, without the store; and nobody else."""
    await shut_out(throttle)
    assert throttle.wait_s(GUESSER) == FAILURE_WINDOW_S
    assert throttle.wait_s(GUESSER._replace(client_id="console")) == 0
    assert throttle.wait_s(GUESSER._replace(address="203.0.113.8")) == 0
    clock.advance(FAILURE_WINDOW_S - 0.5)
    assert throttle.wait_s(GUESSER) == 1
    clock.advance(0.5)
    assert throttle.wait_s(GUESSER) == 0


# Stories of an address. Time is a number here.


class Fleet:
    """Devices of one client at one address. `right`: whether their secret is."""

    def __init__(self, throttle: FailureThrottle, client_id: str, *, right: bool) -> None:
        self.throttle = throttle
        self.guesser = GUESSER._replace(client_id=client_id)
        self.right = right
        self.judged = 0
        self.refused = 0

    async def poll(self) -> None:
        """Do what the authentication does with a secret."""
        if self.throttle.wait_s(self.guesser):
            self.refused += 1
            return
        self.judged += 1
        if not self.right:
            await self.throttle.count(self.guesser)


async def minute(clock: Clock, *fleets: Fleet) -> None:
    """Let each fleet poll five times a second, for a minute."""
    for _ in range(300):
        clock.advance(0.2)
        for fleet in fleets:
            await fleet.poll()


async def test_a_misconfigured_fleet_behind_a_nat(throttle: FailureThrottle, clock: Clock) -> None:
    """300 televisions of one client have the wrong secret, every minute of an hour.

    The other clients behind this address authenticate, and the address is not even near its limit.
    """
    wrong = Fleet(throttle, "misconfigured", right=False)
    right = [Fleet(throttle, f"client-{n}", right=True) for n in range(20)]
    for _ in range(60):
        await minute(clock, wrong, *right)
    assert sum(fleet.refused for fleet in right) == 0
    assert wrong.judged <= 60 * (FAILURES_PER_WINDOW + 1)
    assert throttle.wait_s(GUESSER._replace(client_id="misconfigured")) > 0
    assert GUESSER.address not in throttle._shut_out_until


async def test_twelve_misconfigured_fleets_and_a_good_one(
    throttle: FailureThrottle, clock: Clock
) -> None:
    """Even then no right secret is refused; and a mistake that is mended is over in a minute."""
    wrong = [Fleet(throttle, f"wrong-{n}", right=False) for n in range(12)]
    right = Fleet(throttle, "right", right=True)
    for _ in range(10):
        await minute(clock, *wrong, right)
    assert right.refused == 0
    assert right.judged == 3000
    for fleet in wrong:
        fleet.right = True
    clock.advance(CLIENT_FAILURE_ADDRESS.window_s)
    judged = [fleet.judged for fleet in wrong]
    await minute(clock, *wrong)
    assert [fleet.judged - before for fleet, before in zip(wrong, judged, strict=True)] == [
        300
    ] * 12


async def test_a_stranger_who_guesses_at_all_clients(
    throttle: FailureThrottle, clock: Clock
) -> None:
    """1,000 clients from one address: 300 failures in a minute, then one for each client.

    Without the address's own rule, it would be 30,000.
    """
    clients = [Fleet(throttle, f"client-{n}", right=False) for n in range(1000)]
    for _ in range(60):
        clock.advance(1)
        for client in clients:
            await client.poll()
    assert sum(client.judged for client in clients) <= CLIENT_FAILURE_ADDRESS.limit + 1000


async def test_a_stranger_who_hides_behind_the_limit_of_the_address(
    throttle: FailureThrottle, clock: Clock
) -> None:
    """Failures of other clients fill the count all the time; this one's count nowhere then.

    It is still guessed at no more often than its own rule allows.
    """
    target = Fleet(throttle, "target", right=False)
    others = [Fleet(throttle, f"other-{n}", right=False) for n in range(300)]
    for second in range(600):
        clock.advance(1)
        for n in range(6):
            await others[(6 * second + n) % len(others)].poll()
        for _ in range(3):
            await target.poll()
    assert target.judged <= 10 * (FAILURES_PER_WINDOW + 1)
    assert throttle.wait_s(GUESSER._replace(client_id="stranger", address="203.0.113.8")) == 0


async def test_a_right_secret_at_an_address_that_is_over(behind_proxy: Worker) -> None:
    """6749-2.3.1-c: unknown clients use up the address; the known one authenticates there."""
    here = {"X-Forwarded-For": "203.0.113.7"}
    limit = CLIENT_FAILURE_ADDRESS.limit
    for number in range(limit):
        guess = {"client_id": f"c-{number}", "client_secret": "guess"}
        assert (await behind_proxy.post(AUTHORIZE, guess, headers=here)).outcome == INVALID_CLIENT
    for _ in range(2):
        for client_id in ("nobody", "rs"):
            guess = {"client_id": client_id, "client_secret": "guess"}
            told = await behind_proxy.post(AUTHORIZE, guess, headers=here)
            assert told.outcome == TOO_MANY
            assert told.headers["Retry-After"] == str(CLIENT_FAILURE_ADDRESS.window_s)
    good = {"client_id": "box", "client_secret": SECRET}
    for _ in range(3):
        assert (await behind_proxy.post(AUTHORIZE, good, headers=here)).status == 200
    elsewhere = {"X-Forwarded-For": "203.0.113.8"}
    guess = {"client_id": "rs", "client_secret": "guess"}
    assert (await behind_proxy.post(AUTHORIZE, guess, headers=elsewhere)).outcome == INVALID_CLIENT


async def test_a_bad_assertion_counts_as_a_wrong_secret_does(worker: Worker) -> None:
    """RFC 7523 3: a signature costs more to look at than a secret."""
    form = {"client_assertion_type": assertion.TYPE, "client_assertion": "e30.e30.e30"}
    for number in range(CLIENT_FAILURE_ADDRESS.limit):
        told = await worker.post(AUTHORIZE, form | {"client_id": f"c-{number}"})
        assert told.outcome == INVALID_CLIENT
    assert (await worker.post(AUTHORIZE, form | {"client_id": "c"})).outcome == TOO_MANY


async def test_guessers_fill_no_memory(
    throttle: FailureThrottle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a number it forgets all of them; the store shuts them out anew."""
    assert SHUT_OUT_REMEMBERED >= 10_000
    monkeypatch.setattr(failures, "SHUT_OUT_REMEMBERED", 3)
    await shut_out(throttle)
    for number in range(9):
        another = GUESSER._replace(client_id=f"box-{number}")
        cast("MemoryLimits", throttle._limits).fill(
            "client.failure", f"{another.address} {another.client_id}", 30
        )
        assert await throttle.count(another) == FAILURE_WINDOW_S
        assert throttle.wait_s(another) == FAILURE_WINDOW_S
        assert len(throttle._shut_out_until) <= 3


async def test_every_refusal_is_counted_by_its_limit(clock: Clock) -> None:
    """Those that this worker remembers, too: the store is not asked for them."""
    limits, refusals = MemoryLimits(clock), list[str]()
    limits.on_refusal = refusals.append
    throttle = FailureThrottle(limits, clock, Audit(recorder=Recorder.alone()))
    await shut_out(throttle)
    assert [throttle.wait_s(GUESSER) > 0 for _ in range(3)] == [True] * 3
    assert refusals.count(CLIENT_FAILURE.name) == 1 + 3
    limits.fill(CLIENT_FAILURE_ADDRESS.name, GUESSER.address, CLIENT_FAILURE_ADDRESS.limit)
    for name in ("first", "second"):
        await throttle.count(Guesser(GUESSER.address, name))
    assert refusals.count(CLIENT_FAILURE_ADDRESS.name) == 1 + 1
