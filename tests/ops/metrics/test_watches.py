"""What the store's rooms report: commands, refusals, push messages."""

import pytest
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.metrics.watches import (
    LOST_AFTER_S,
    PushWatch,
    StoreWatch,
    note_look,
    reason_of,
)
from deviceflow.store.errors import StoreUnavailable
from tests.stage.clock import Clock
from tests.stage.metrics import numbers


@pytest.fixture
def recorder() -> Recorder:
    return Recorder.alone()


def fail(watch: StoreWatch, reason: str) -> None:
    watch.end(watch.begin(), StoreUnavailable(reason))


def test_a_command_is_timed_whether_it_succeeds_or_not(recorder: Recorder) -> None:
    watch = StoreWatch(recorder)
    began = watch.begin()
    assert watch.in_flight == 1
    watch.end(began)
    fail(watch, "OOM")
    assert watch.in_flight == 0
    page = numbers(recorder)
    assert page["deviceflow_store_command_seconds_count"] == 2
    assert page['deviceflow_store_errors_total{reason="OOM"}'] == 1


def test_refusals_are_told_apart_from_a_store_that_is_away(recorder: Recorder) -> None:
    watch = StoreWatch(recorder)
    for reason in ("OOM", "READONLY", "ConnectionError", "TimeoutError"):
        fail(watch, reason)
    assert watch.take_refused() == 2
    assert watch.take_refused() == 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StoreUnavailable("NOREPLICAS"), "NOREPLICAS"),
        (StoreUnavailable("too few replicas"), "too few replicas"),
        (StoreUnavailable("TimeoutError"), "timeout"),
        (StoreUnavailable("ConnectionError"), "unreachable"),
        (StoreUnavailable("FileNotFoundError"), "unreachable"),
        (ResponseError("NOPERM this user has no permissions"), "other"),
    ],
)
def test_reasons_are_those_of_the_table(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
    assert reason in table.STORE_ERRORS.labels["reason"]


def test_too_few_replicas_are_logged_once_and_their_return_with_a_count(
    recorder: Recorder,
) -> None:
    watch = StoreWatch(recorder)
    with capture_logs() as logs:
        watch.note_replicas(are_enough=True)
        for _ in range(50):
            watch.note_replicas(are_enough=False)
        watch.note_replicas(are_enough=True)
        watch.note_replicas(are_enough=True)
    assert [(event["event"], event["reason"]) for event in logs] == [
        ("store.refuses", "too few replicas"),
        ("store.accepts", "too few replicas"),
    ]
    assert logs[-1]["refused"] == 50


def test_looks_at_the_log_make_the_mirror_young(recorder: Recorder) -> None:
    recorder.set(table.HEARTBEAT_AGE, 1)
    recorder.set(table.MIRROR_AGE, 1)
    note_look(recorder, succeeded=False)
    old = numbers(recorder)['deviceflow_mirror_age_seconds{worker="0"}']
    note_look(recorder, succeeded=True)
    page = numbers(recorder)
    assert page['deviceflow_mirror_age_seconds{worker="0"}'] < old
    assert page['deviceflow_catch_ups_total{outcome="failed"}'] == 1
    assert page['deviceflow_catch_ups_total{outcome="succeeded"}'] == 1


def test_a_push_message_is_timed_by_its_sender(recorder: Recorder) -> None:
    clock = Clock(1_000.0)
    pushes = PushWatch(recorder, clock)
    pushes.sent(1)
    clock.advance(0.02)
    pushes.heard(1)
    pushes.heard(2)
    clock.advance(LOST_AFTER_S + 1)
    pushes.give_up_lost()
    page = numbers(recorder)
    assert page["deviceflow_pushes_sent_total"] == 1
    assert page["deviceflow_push_delay_seconds_count"] == 1
    assert page['deviceflow_push_delay_seconds_bucket{le="0.025"}'] == 1
    assert page['deviceflow_push_delay_seconds_bucket{le="0.01"}'] == 0
    assert page["deviceflow_pushes_lost_total"] == 0


def test_a_push_message_that_does_not_come_back_is_lost(recorder: Recorder) -> None:
    clock = Clock(1_000.0)
    pushes = PushWatch(recorder, clock)
    pushes.sent(1)
    clock.advance(LOST_AFTER_S - 1)
    pushes.sent(2)
    pushes.give_up_lost()
    assert numbers(recorder)["deviceflow_pushes_lost_total"] == 0
    clock.advance(2)
    pushes.give_up_lost()
    pushes.heard(2)
    pushes.give_up_lost()
    assert numbers(recorder)["deviceflow_pushes_lost_total"] == 1
