"""The recorder of one worker, seen through the page."""

from deviceflow.core.grant import PollAnswer
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.memory import CLIENT_SERIES, MetricsMemory
from deviceflow.ops.metrics.recorder import Recorder
from tests.stage.metrics import numbers

LANE_PENDING = 'deviceflow_polls_total{outcome="authorization_pending",path="lane"}'


def test_an_unlisted_value_of_a_label_counts_as_other() -> None:
    recorder = Recorder.alone()
    recorder.count(table.POLLS, "a_new_error", "ordinary")
    assert numbers(recorder)['deviceflow_polls_total{outcome="other",path="ordinary"}'] == 1


def test_what_the_lane_counts_is_published_once() -> None:
    recorder = Recorder.alone()
    recorder.lane_polls[PollAnswer.AUTHORIZATION_PENDING] += 5
    recorder.publish()
    recorder.publish()
    recorder.lane_polls[PollAnswer.AUTHORIZATION_PENDING] += 2
    recorder.publish()
    assert numbers(recorder)[LANE_PENDING] == 7


def test_the_next_worker_counts_on_and_has_its_own_states() -> None:
    memory = MetricsMemory(1)
    first = Recorder(memory)
    first.lane_polls[PollAnswer.AUTHORIZATION_PENDING] += 5
    first.set(table.HELD_POLLS, 3)
    first.close()
    # This process still has the row, as if the next worker had taken it over.
    second = Recorder(memory)
    second.lane_polls[PollAnswer.AUTHORIZATION_PENDING] += 1
    second.set(table.HEARTBEAT_AGE, 1)
    second.publish()
    page = numbers(second)
    assert page[LANE_PENDING] == 6
    assert page["deviceflow_held_polls"] == 0
    assert page['deviceflow_worker_starts_total{worker="0"}'] == 2


def test_a_histogram_has_durations_in_their_buckets() -> None:
    recorder = Recorder.alone()
    for seconds in (-3.0, 0.025, 0.026, 400.0):
        recorder.observe(table.APPROVAL_TO_TOKEN, seconds)
    page = numbers(recorder)
    name = "deviceflow_approval_to_token_seconds"
    assert page[f'{name}_bucket{{le="0.025"}}'] == 2, "a limit belongs to its bucket"
    assert page[f'{name}_bucket{{le="0.05"}}'] == 3
    assert page[f'{name}_bucket{{le="300.0"}}'] == 3
    assert page[f'{name}_bucket{{le="+Inf"}}'] == page[f"{name}_count"] == 4
    assert page[f"{name}_sum"] == 400.051


def test_thousands_of_clients_make_a_bounded_number_of_series() -> None:
    recorder = Recorder.alone()
    for number in range(5_000):
        recorder.count_client(table.CLIENT_TOKENS, f"client_{number}")
    series = {k: v for k, v in numbers(recorder).items() if k.startswith(table.CLIENT_TOKENS.name)}
    assert len(series) == CLIENT_SERIES + 1
    assert series['deviceflow_client_tokens_total{client_id="client_7"}'] == 1
    assert series['deviceflow_client_tokens_total{client_id="other"}'] == 5_000 - CLIENT_SERIES


def test_faults_of_polls_are_counted_by_client() -> None:
    recorder = Recorder.alone()
    for answer in (PollAnswer.SLOW_DOWN, PollAnswer.INVALID_GRANT, PollAnswer.EXPIRED_TOKEN):
        recorder.lane_polls[answer] += 1
        recorder.lane_polls_by_client[answer][b"tv"] += 1
    recorder.publish()
    recorder.publish()
    page = numbers(recorder)
    assert page['deviceflow_client_slow_downs_total{client_id="tv"}'] == 1
    assert page['deviceflow_client_invalid_grants_total{client_id="tv"}'] == 1
