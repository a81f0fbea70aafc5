"""How often a client may fail to authenticate (RFC 6749 2.3.1)."""

from base64 import b64encode
from typing import Any

import pytest

from deviceflow.config import Settings
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.oauth.clients import failures
from deviceflow.oauth.clients.failures import (
    FAILURE_WINDOW_S,
    FAILURES_PER_WINDOW,
    SHUT_OUT_REMEMBERED,
    FailureThrottle,
    Guesser,
)
from deviceflow.store.limits import LimitResult, Limits
from tests.stage.clock import Clock
from tests.stage.oauth import SECRET, People, Worker
from tests.stage.proving import AUTHORIZE, TOKEN, with_surface

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


class CountingLimits(Limits):
    """Counts in memory, for all keys together."""

    def __init__(self) -> None:
        self.hits = 0

    async def hit(self, name: str, key: str, *, limit: int, window_s: int) -> LimitResult:
        assert (name, limit) == ("client", FAILURES_PER_WINDOW)
        assert key.startswith(f"{GUESSER.address} {GUESSER.client_id}")
        self.hits += 1
        return LimitResult(self.hits <= limit, 0 if self.hits <= limit else window_s)


@pytest.fixture
def throttle(clock: Clock) -> FailureThrottle:
    return FailureThrottle(CountingLimits(), clock)


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


async def test_guessers_fill_no_memory(
    throttle: FailureThrottle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a number it forgets all of them; the store shuts them out anew."""
    assert SHUT_OUT_REMEMBERED >= 10_000
    monkeypatch.setattr(failures, "SHUT_OUT_REMEMBERED", 3)
    await shut_out(throttle)
    for number in range(9):
        another = GUESSER._replace(client_id=f"box-{number}")
        assert await throttle.count(another) == FAILURE_WINDOW_S
        assert throttle.wait_s(another) == FAILURE_WINDOW_S
        assert len(throttle._shut_out_until) <= 3
