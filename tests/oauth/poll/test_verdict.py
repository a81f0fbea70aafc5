"""What one worker's memory says of a poll: the code, then the decision, then the pace."""

import msgspec
import pytest

from deviceflow.core.device_code import NONCE_BITS, DeviceCodeKey, DeviceCodes
from deviceflow.core.grant import PollAnswer, State
from deviceflow.core.pace import PaceTable
from deviceflow.oauth.poll.verdict import DESCRIPTIONS, PollJudge, Verdict, answer_poll
from deviceflow.store.mirror import Mirror
from tests.stage.clock import Clock

NOW = 1_800_000_000
GRANT = 7 << NONCE_BITS | 1
INTERVAL = 5


@pytest.fixture
def clock() -> Clock:
    return Clock(float(NOW))


@pytest.fixture
def codes() -> DeviceCodes:
    return DeviceCodes([DeviceCodeKey(1, b"k" * 32)])


@pytest.fixture
def mirror() -> Mirror:
    return Mirror()


@pytest.fixture
def steady() -> Clock:
    return Clock(0.0)


@pytest.fixture
def judge(codes: DeviceCodes, mirror: Mirror, clock: Clock, steady: Clock) -> PollJudge:
    pace = PaceTable(memoryview(bytearray(8 * 64)), 60)
    return PollJudge(codes, mirror, pace, clock, steady)


@pytest.fixture
def code(codes: DeviceCodes) -> bytes:
    return codes.seal(GRANT, NOW + 600, INTERVAL, "tv").encode()


def test_a_pending_grant_and_its_pace(judge: PollJudge, code: bytes, steady: Clock) -> None:
    """8628-3.5: the first poll is free; one that comes too early gets the interval from now on."""
    assert judge.judge(code, b"tv").answer is PollAnswer.AUTHORIZATION_PENDING
    steady.advance(1)
    slower = judge.judge(code, b"tv")
    assert (slower.answer, slower.interval) == (PollAnswer.SLOW_DOWN, INTERVAL + 5)
    steady.advance(INTERVAL + 5)
    on_time = judge.judge(code, b"tv")
    assert (on_time.answer, on_time.interval) == (PollAnswer.AUTHORIZATION_PENDING, 0)
    assert on_time.code is not None
    assert on_time.code.grant_id == GRANT


@pytest.mark.parametrize("step", [-3600, -3, 3, 300])
def test_a_clock_that_steps_slows_no_device_down(
    judge: PollJudge, code: bytes, clock: Clock, steady: Clock, step: int
) -> None:
    """The host's time is corrected between two polls. A device that is too fast is still seen."""
    judge.judge(code, b"tv")
    clock.advance(INTERVAL + step)
    steady.advance(INTERVAL)
    assert judge.judge(code, b"tv").answer is PollAnswer.AUTHORIZATION_PENDING
    clock.advance(100)
    steady.advance(1)
    assert judge.judge(code, b"tv").answer is PollAnswer.SLOW_DOWN


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (State.DENIED, PollAnswer.ACCESS_DENIED),
        (State.CANCELLED, PollAnswer.ACCESS_DENIED),
        (State.SPENT, PollAnswer.INVALID_GRANT),
        (State.REDEEMED, None),
        (State.APPROVED, None),
        (None, None),
    ],
)
def test_a_decision_whatever_the_pace(
    judge: PollJudge, mirror: Mirror, code: bytes, state: State | None, answer: PollAnswer | None
) -> None:
    """The pace never delays it. Where tokens are possible, the store must be asked."""
    mirror.learn(GRANT, state, NOW + 600)
    for _ in range(3):
        verdict = judge.judge(code, b"tv")
        assert (verdict.answer, verdict.interval) == (answer, 0)
        assert verdict.code is not None


def test_no_code_of_this_client(judge: PollJudge, code: bytes) -> None:
    invalid = Verdict(PollAnswer.INVALID_GRANT)
    for device_code, client_id in ((code, b"other"), (b"A" * 43, b"tv"), (b"", b"tv")):
        assert judge.judge(device_code, client_id) == invalid


DECISIONS = [state for state in State if state is not State.PENDING]


@pytest.mark.parametrize("state", [None, *DECISIONS])
def test_expired_is_expired_whatever_was_decided(
    judge: PollJudge, mirror: Mirror, code: bytes, clock: Clock, state: State | None
) -> None:
    """From the second of its end on, and for ever."""
    mirror.learn(GRANT, state, NOW + 600)
    clock.advance(599.9)
    assert judge.judge(code, b"tv").answer is not PollAnswer.EXPIRED_TOKEN
    for seconds in (0.1, 10**8):
        clock.advance(seconds)
        assert judge.judge(code, b"tv") == Verdict(PollAnswer.EXPIRED_TOKEN)


@pytest.mark.parametrize("answer", PollAnswer)
def test_an_answer(answer: PollAnswer) -> None:
    """8628-3.5: an error with its own words. slow_down has the interval, in body and header."""
    interval = 12 if answer is PollAnswer.SLOW_DOWN else 0
    response = answer_poll(Verdict(answer, None, interval))
    expected = {"error": str(answer), "error_description": DESCRIPTIONS[answer]}
    assert response.status == 400
    assert isinstance(response.body, bytes)
    assert msgspec.json.decode(response.body) == expected | (
        {"interval": interval} if interval else {}
    )
    assert response.headers.get("Retry-After") == (str(interval) if interval else None)


def test_all_grants_of_a_client_are_cancelled_below_a_number(
    judge: PollJudge, mirror: Mirror, code: bytes
) -> None:
    """Exactly those of this client with a lower id; a decision that is known goes first."""
    mirror.adopt_cancellations({b"other": GRANT + 1, b"tv": GRANT})
    assert judge.judge(code, b"tv").answer is PollAnswer.AUTHORIZATION_PENDING
    mirror.adopt_cancellations({b"tv": GRANT + 1})
    verdict = judge.judge(code, b"tv")
    assert verdict.answer is PollAnswer.ACCESS_DENIED
    assert verdict.code is not None
    mirror.learn(GRANT, State.REDEEMED, NOW + 600)
    assert judge.judge(code, b"tv").answer is None
