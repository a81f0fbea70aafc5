"""The result of a run, as JSON."""

from datetime import UTC, datetime

import msgspec
import pytest

from deviceflow.fleet.result import (
    FleetResult,
    Latency,
    Machine,
    Objective,
    Operation,
    People,
    PollOutcome,
    Scenario,
    Second,
    Settings,
    WrongOutcome,
    as_json,
    read_result,
)

RESULT = FleetResult(
    version="1.0",
    began=datetime(2026, 11, 27, tzinfo=UTC),
    seconds=2.0,
    is_complete=True,
    scenario=Scenario(
        devices=2,
        arrival="steady",
        seconds=2.0,
        styles={"obedient": 1.0},
        people=People(
            by="nobody", approve=0.0, deny=0.0, walk_away=1.0, median_s=30.0, sigma=0.5
        ),
        seed=1,
    ),
    settings=Settings(
        target="http://127.0.0.1:8628",
        client_id="tv-app",
        scope="openid",
        device_authorization_endpoint="http://127.0.0.1:8628/oauth2/device_authorization",
        token_endpoint="http://127.0.0.1:8628/oauth2/token",
        interval_s=5,
    ),
    machine=Machine(cpu="x", cores=2, memory_gb=8.0, system="Linux", versions={"python": "3.11"}),
    series=[Second(at_s=0.0, devices=2, polls={PollOutcome.PENDING: 3}, poll_p50_ms=1.5)],
    latencies={
        Operation.POLL: Latency(
            count=3, mean_ms=1.5, p50_ms=1.5, p90_ms=1.6, p99_ms=1.6, p999_ms=1.6, max_ms=1.6,
            buckets=[(1.5, 2), (1.6, 1)],
        )
    },
    starts=2,
    tokens=0,
    approvals=0,
    denials=0,
    refreshes=0,
    polls={PollOutcome.PENDING: 3},
    errors={},
    wrong={"malformed answer": WrongOutcome(count=1, first_s=0.5, example="HTML")},
)  # fmt: skip


def test_a_result_comes_back_from_json() -> None:
    assert read_result(as_json(RESULT)) == RESULT


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 2"):
        read_result(as_json(msgspec.structs.replace(RESULT, format=2)))


@pytest.mark.parametrize(
    ("bound", "measured", "is_met"),
    [
        ("below", 9.9, True),
        ("below", 10.0, False),
        ("exactly", 10.0, True),
        ("exactly", 9.9, False),
        ("above", 10.1, True),
        ("above", 10.0, False),
        ("at most", 10.0, True),
        ("at most", 10.1, False),
        ("at least", 10.0, True),
        ("at least", 9.9, False),
        ("at most", None, False),
    ],
)
def test_an_objective_is_met(bound: str, measured: float | None, is_met: bool) -> None:  # noqa: FBT001
    document = {"name": "n", "title": "t", "wanted": 10.0, "bound": bound, "measured": measured}
    objective = msgspec.convert(document, Objective)
    assert objective.is_met is is_met
    result = msgspec.structs.replace(RESULT, objectives=[objective])
    assert result.is_passed is is_met
