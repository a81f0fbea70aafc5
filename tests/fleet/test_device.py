"""A virtual device: what it sends when, and what it makes of answers, right and wrong."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.device.answers import Reply
from deviceflow.fleet.device import TIMED_OUT
from deviceflow.fleet.result import Operation, PollOutcome
from deviceflow.fleet.styles import STYLES
from deviceflow.fleet.verdict import WrongKind
from tests.stage.virtual_world import (
    APPROVING,
    DENYING,
    INTERVAL_S,
    LIFETIME_S,
    TOKEN_S,
    Stand,
    codes,
    error,
    tokens,
)

HTML = Reply(status=200, body=b"<html>Sorry</html>")


def pauses(stand: Stand) -> list[float]:
    return [round(after - before, 3) for before, after in pairwise(stand.server.polls)]


def test_an_obedient_device_polls_at_the_interval() -> None:
    stand = Stand()
    stand.run_until(31)
    assert stand.server.polls[0] == pytest.approx(INTERVAL_S + stand.server.answer_s)
    assert set(pauses(stand)) == {INTERVAL_S}
    assert stand.tally.pending == 1


def test_a_slow_server_gets_the_polls_that_were_planned() -> None:
    stand = Stand()
    stand.server.answer_s = 3.0
    stand.run_until(60)
    assert set(pauses(stand)) == {INTERVAL_S}


def test_a_late_answer_counts_for_the_polls_that_it_has_kept_waiting() -> None:
    stand = Stand()
    stand.run_until(6)
    stand.tally.end_second(0, 0.0)
    stand.server.answer_s = 9.5
    stand.run_until(20)
    polls = stand.tally.end_second(1, 0.0).latencies[Operation.POLL]
    assert sum(polls.counts.values()) == 2
    assert polls.total_s == pytest.approx(9.5 + 4.5)


def test_tokens_end_the_device() -> None:
    stand = Stand(people=APPROVING)
    stand.run_until(60)
    tick = stand.tally.end_second(0, 0.0)
    assert (tick.devices, tick.pending, tick.wrong) == (0, 0, {})
    assert (tick.events["approvals"], tick.events["tokens"]) == (1, 1)
    assert tick.polls == {PollOutcome.PENDING: 2, PollOutcome.TOKENS: 1}
    waited = tick.latencies[Operation.APPROVAL_TO_TOKENS]
    assert 0 < waited.total_s < INTERVAL_S


def test_a_denial_is_one_poll_outcome_more() -> None:
    stand = Stand(people=DENYING)
    stand.run_until(60)
    tick = stand.tally.end_second(0, 0.0)
    assert (tick.polls[PollOutcome.DENIED], tick.wrong, tick.devices) == (1, {}, 0)


def test_a_steady_fleet_begins_again() -> None:
    stand = Stand(people=DENYING, arrival="steady")
    stand.run_until(200)
    assert stand.tally.devices == 1
    assert stand.tally.events["starts"] > 5


def test_slow_down_is_obeyed() -> None:
    stand = Stand()
    stand.server.instead = lambda form: error("slow_down") if "device_code" in form else ...
    stand.run_until(90)
    assert pauses(stand)[:3] == pytest.approx([10, 15, 20], abs=0.1)


def test_a_buggy_device_ignores_it_and_is_still_no_flood() -> None:
    stand = Stand("buggy")
    stand.server.instead = lambda form: error("slow_down") if "device_code" in form else ...
    stand.run_until(30)
    assert set(pauses(stand)) == {2.01}
    assert stand.wrong() == {}


def test_a_hasty_device_is_too_fast() -> None:
    stand = Stand("hasty")
    stand.run_until(30)
    assert set(pauses(stand)) == {2.0}


def test_a_reconnecting_device_closes() -> None:
    stand = Stand("reconnecting")
    stand.run_until(30)
    assert set(stand.server.connections) == {True}


def test_a_quitting_device_goes_away_undecided() -> None:
    stand = Stand("quitting", people=APPROVING)
    stand.server.decide = lambda *_: None  # type: ignore[method-assign]
    stand.run_until(LIFETIME_S + 60)
    assert (stand.tally.devices, stand.tally.pending) == (0, 0)


def test_a_held_poll_is_followed_by_the_next() -> None:
    stand = Stand("held", hold_s=20)
    stand.server.instead = lambda form: (
        Reply(status=400, body=b'{"error":"authorization_pending"}', held=True)
        if "device_code" in form
        else ...
    )
    stand.run_until(1)
    stand.server.answer_s = 20.0
    stand.run_until(81)
    assert pauses(stand) == [5.0, 20.0, 20.0, 20.0]
    assert Operation.HELD_POLL in stand.tally.end_second(0, 0.0).latencies


def test_an_expired_code_is_right_and_the_end() -> None:
    stand = Stand()
    stand.server.instead = lambda form: (
        error("expired_token") if "device_code" in form and stand.time.now() > LIFETIME_S else ...
    )
    stand.run_until(LIFETIME_S + 20)
    tick = stand.tally.end_second(0, 0.0)
    assert (tick.polls[PollOutcome.EXPIRED], tick.wrong, tick.devices) == (1, {}, 0)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (tokens(7), WrongKind.TOKENS_UNAPPROVED),
        (error("access_denied"), WrongKind.DENIED_UNASKED),
        (error("expired_token"), WrongKind.EXPIRED_EARLY),
        (error("invalid_grant"), WrongKind.CODE_LOST),
        (error("invalid_client", 401), WrongKind.REFUSED),
        (error("out_of_cheese"), WrongKind.UNKNOWN_ERROR),
    ],
)
def test_a_wrong_end_is_counted_and_the_device_starts_over(reply: Reply, kind: str) -> None:
    stand = Stand()
    stand.server.instead = lambda form: reply if "device_code" in form else ...
    stand.run_until(6)
    assert stand.tally.pending == 0
    assert stand.wrong() == {kind: 1}
    stand.run_until(90)
    assert 1 < len(stand.server.polls) < 5


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (HTML, WrongKind.MALFORMED),
        (Reply(status=404, body=b""), WrongKind.MALFORMED),
        (Reply(status=200, body=b"{}"), WrongKind.MALFORMED),
        (Reply(status=302, redirect="https://elsewhere.example"), WrongKind.REDIRECT),
    ],
)
def test_nonsense_is_counted_and_the_device_polls_on(reply: Reply, kind: str) -> None:
    stand = Stand(people=APPROVING)
    stand.server.instead = lambda form: (
        reply if "device_code" in form and stand.time.now() < 20 else ...
    )
    stand.run_until(90)
    tick = stand.tally.end_second(0, 0.0)
    assert list(tick.wrong) == [kind]
    assert tick.events["tokens"] == 1


@pytest.mark.parametrize("people", [APPROVING, DENYING], ids=["approved", "denied"])
def test_a_decision_has_to_be_known_to_the_next_poll(people: Any) -> None:  # noqa: ANN401
    stand = Stand(people=people)
    stand.server.instead = lambda form: (
        error("authorization_pending") if "device_code" in form else ...
    )
    stand.run_until(16)
    assert stand.wrong() == {WrongKind.DECISION_UNKNOWN: 1}


def test_a_decision_may_be_known_later_where_faults_are_brought_about() -> None:
    stand = Stand(people=APPROVING, known_within_s=30.0)
    stand.server.instead = lambda form: (
        error("authorization_pending") if "device_code" in form else ...
    )
    stand.run_until(36)
    assert stand.wrong() == {}
    stand.run_until(50)
    assert stand.wrong() == {WrongKind.DECISION_UNKNOWN: 1}


@pytest.mark.parametrize(
    ("people", "reply", "kind"),
    [
        (APPROVING, error("access_denied"), WrongKind.DENIED_APPROVED),
        (APPROVING, error("invalid_grant"), WrongKind.TOKENS_LOST),
        (DENYING, tokens(7), WrongKind.TOKENS_DENIED),
        (DENYING, error("expired_token"), WrongKind.DENIAL_LOST),
    ],
)
def test_a_decision_cannot_turn(people: Any, reply: Reply, kind: str) -> None:  # noqa: ANN401
    stand = Stand(people=people)
    stand.server.instead = lambda form: (
        reply if "device_code" in form and stand.time.now() > 13 else ...
    )
    stand.run_until(16)
    assert stand.wrong() == {kind: 1}


def test_waiting_beyond_the_expiry_is_wrong() -> None:
    stand = Stand()
    stand.run_until(LIFETIME_S + 10)
    assert stand.wrong() == {WrongKind.EXPIRED_NEVER: 1}


def test_a_slow_start_may_have_begun_the_lifetime_late() -> None:
    stand = Stand()
    stand.server.answer_s = 9.0
    stand.run_until(LIFETIME_S + 11)
    assert stand.wrong() == {}
    stand.run_until(LIFETIME_S + 40)
    assert WrongKind.EXPIRED_NEVER in stand.wrong()


def test_codes_are_given_once() -> None:
    stand = Stand(people=DENYING, arrival="steady")
    stand.server.instead = lambda form: ... if "device_code" in form else codes(1)
    stand.run_until(30)
    assert stand.wrong()[WrongKind.CODE_TWICE] == 1


def test_tokens_are_given_once() -> None:
    stand = Stand(people=APPROVING, arrival="steady")
    stand.server.instead = lambda form: (
        tokens(1) if f"user {form.get('device_code')}" in stand.server.decisions else ...
    )
    stand.run_until(60)
    assert stand.wrong() == {WrongKind.TOKENS_TWICE: 1}


def test_a_server_that_does_not_answer_is_given_up_and_asked_again() -> None:
    stand = Stand(timeout_s=10.0)
    stand.server.instead = lambda _: None if stand.time.now() > 7 else ...
    stand.run_until(60)
    tick = stand.tally.end_second(0, 0.0)
    assert tick.errors[TIMED_OUT] >= 2
    assert max(pauses(stand)) > 10 + INTERVAL_S
    assert tick.latencies[Operation.POLL].longest_s >= 10


@pytest.mark.parametrize("failure", ["connection refused", error("", 503), Reply(status=500)])
def test_a_server_that_is_down_is_asked_less_often(failure: Reply | str) -> None:
    stand = Stand()
    stand.server.instead = lambda _: failure if stand.time.now() > 7 else ...
    stand.run_until(70)
    tick = stand.tally.end_second(0, 0.0)
    assert (tick.wrong, sum(tick.errors.values())) == ({}, 3)
    later = pauses(stand)[1:]
    assert later == sorted(later)


def test_codes_are_asked_for_again_later() -> None:
    stand = Stand()
    stand.server.instead = lambda _: Reply(status=429, retry_after=7.0)
    stand.run_until(30)
    assert len(stand.server.forms) == 5
    stand.server.instead = lambda _: ...
    stand.run_until(40)
    assert stand.tally.events["starts"] == 1


def test_refused_codes_are_wrong() -> None:
    stand = Stand()
    stand.server.instead = lambda _: error("invalid_client", 401)
    stand.run_until(50)
    assert 2 <= stand.wrong()[WrongKind.REFUSED] <= 3


def test_tokens_are_refreshed_by_a_faster_clock() -> None:
    stand = Stand(people=APPROVING, refreshers=1, token_clock=100.0)
    stand.run_until(100)
    refreshes = stand.tally.events["refreshes"]
    assert (100 - 20) / (TOKEN_S / 100) <= refreshes <= (100 - 15) / (TOKEN_S / 100 * 0.75)
    used = [form["refresh_token"] for form in stand.server.forms if "refresh_token" in form]
    assert len(set(used)) == len(used), "each refresh uses the token of the one before"


def test_tokens_without_an_expiry_are_refreshed_as_if_they_had_one() -> None:
    stand = Stand(people=APPROVING, refreshers=1, token_clock=3600.0)
    stand.server.instead = lambda form: (
        tokens(1, expires_in=None) if "refresh_token" in form or stand.server.decisions else ...
    )
    stand.run_until(40)
    assert 10 < stand.tally.events["refreshes"] <= 25


def test_a_refused_refresh_is_wrong_and_the_device_starts_over() -> None:
    stand = Stand(people=APPROVING, refreshers=1, token_clock=100.0)
    stand.server.instead = lambda form: error("invalid_grant") if "refresh_token" in form else ...
    stand.run_until(80)
    assert stand.tally.events["starts"] == 2
    assert stand.wrong()[WrongKind.REFRESH_REFUSED] >= 1


ANSWERS: list[Callable[[], Reply | str | None]] = [
    lambda: tokens(1, expires_in=-5),
    lambda: tokens(2, expires_in=0),
    lambda: tokens(3, refresh_token=""),
    lambda: codes(1, interval=0),
    lambda: codes(2, expires_in=0),
    lambda: codes(3, interval=None),
    lambda: error("slow_down", interval=0),
    lambda: error("slow_down", 429),
    lambda: error("authorization_pending"),
    lambda: error("expired_token"),
    lambda: error("invalid_grant"),
    lambda: error("\x00"),
    lambda: Reply(status=503, retry_after=0.0),
    lambda: Reply(status=302),
    lambda: HTML,
    lambda: Reply(status=200, body=b"[" * 99),
    lambda: "closed before the answer",
    lambda: None,
]


@given(
    st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=8),
    st.sampled_from(sorted(STYLES)),
)
def test_no_server_makes_a_device_loop_fast_or_fall_over(
    answers: list[Callable[[], Reply | str | None]], style: str
) -> None:
    stand = Stand(style, people=APPROVING, arrival="steady", refreshers=1, token_clock=1000.0)
    given_so_far = iter(range(10**6))
    stand.server.instead = lambda _: answers[next(given_so_far) % len(answers)]()
    stand.run_until(120)
    assert len(stand.server.forms) < 2.1 * 120
    assert stand.tally.devices in {0, 1}
    assert stand.tally.pending in {0, 1}


def test_polls_say_what_they_are() -> None:
    stand = Stand()
    stand.run_until(6)
    assert stand.server.forms == [
        {"client_id": "tv", "scope": "openid"},
        {"client_id": "tv", "grant_type": DEVICE_CODE_GRANT, "device_code": "1"},
    ]


def test_a_stopped_device_sends_no_more() -> None:
    stand = Stand()
    stand.run_until(6)
    stand.world.is_over = True
    stand.device.stop()
    stand.run_until(60)
    assert len(stand.server.forms) == 2
