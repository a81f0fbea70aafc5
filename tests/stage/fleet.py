"""A result of a fleet, for tests of what is made of it: ten seconds, a fault, wrong outcomes."""

from datetime import UTC, datetime

from deviceflow.fleet.result import (
    Fault,
    FleetResult,
    Latency,
    Machine,
    Operation,
    People,
    PollOutcome,
    Scenario,
    Second,
    Settings,
    WrongOutcome,
)

HOSTILE = "<script>alert('x')</script> & \"quotes\""

FAULT_AT_S = 4


def _second(at: int) -> Second:
    """Return a second. In the fault's, nothing is answered."""
    is_down = at == FAULT_AT_S
    return Second(
        at_s=float(at),
        devices=20,
        pending=20 - at,
        connections=0 if is_down else 20,
        tokens=1,
        polls={PollOutcome.ERROR: 9} if is_down else {PollOutcome.PENDING: 9},
        errors={"connection refused": 9} if is_down else {},
        wrong={"malformed answer": 3} if at == FAULT_AT_S + 1 else {},
        poll_p50_ms=None if is_down else 1.5,
        poll_p99_ms=None if is_down else 20.0 + at,
        poll_p999_ms=None if is_down else 30.0,
        poll_max_ms=None if is_down else 31.0,
        approval_to_tokens_p50_ms=2500.0,
        approval_to_tokens_max_ms=5100.0,
        late_ms=12.0 if at == 1 else 0.5,
        cpu_s=0.2,
        server_cpu_s=0.00015,
        server_memory_bytes=100_000_000 + at,
    )


RESULT = FleetResult(
    version="1.0",
    began=datetime(2026, 11, 27, 8, 0, tzinfo=UTC),
    seconds=10.0,
    is_complete=True,
    scenario=Scenario(
        devices=20,
        arrival="steady",
        seconds=10.0,
        styles={"obedient": 0.75, "buggy": 0.25},
        people=People(by="admin", approve=0.8, deny=0.05, walk_away=0.15, median_s=30.0, sigma=0.5),
        seed=1,
    ),
    settings=Settings(
        target="http://127.0.0.1:8628",
        client_id="tv-app",
        scope="openid",
        device_authorization_endpoint="http://127.0.0.1:8628/oauth2/device_authorization",
        token_endpoint="http://127.0.0.1:8628/oauth2/token",
        interval_s=5,
        expires_in_s=600,
    ),
    machine=Machine(
        cpu="a processor", cores=2, memory_gb=8.0, system="Linux", versions={"python": "3.11"}
    ),
    series=[_second(at) for at in range(10)],
    latencies={
        Operation.POLL: Latency(
            count=91,
            mean_ms=2.0,
            p50_ms=1.5,
            p90_ms=6.0,
            p99_ms=21.0,
            p999_ms=30.0,
            max_ms=31.0,
            buckets=[(1.5, 60), (6.0, 22), (21.0, 8), (31.0, 1)],
        )
    },
    starts=20,
    tokens=10,
    approvals=10,
    denials=1,
    refreshes=0,
    polls={PollOutcome.PENDING: 81, PollOutcome.TOKENS: 10, PollOutcome.ERROR: 9},
    errors={"connection refused": 9},
    wrong={"malformed answer": WrongOutcome(count=3, first_s=5.2, example=HOSTILE)},
    faults=[Fault(name="worker-killed", title="a worker is killed", at_s=FAULT_AT_S)],
    notes=["the machine was busy"],
    server=HOSTILE,
)
