"""The result of a run: the JSON file of `deviceflow fleet --json`, and the source of its report.

Times named `_s` are in seconds from the start of the run, those named `_ms` in milliseconds.
Latencies count from the planned time of a request, not from when it was sent.
"""

import operator
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

FORMAT = 1
"""The version of the file. It grows when a reader of the old format would read wrong figures."""


class PollOutcome(StrEnum):
    """The outcomes of a poll: keys of `Second.polls` and of `FleetResult.polls`."""

    PENDING = "pending"
    SLOW_DOWN = "slow_down"
    TOKENS = "tokens"
    DENIED = "denied"
    EXPIRED = "expired"
    ERROR = "error"
    """No answer about the grant: no connection, a time-out, 5xx or 429. `errors` has the causes."""
    WRONG = "wrong"
    """An answer that a correct server does not give. `wrong` has the kinds."""


class Operation(StrEnum):
    """What latencies are measured of: keys of `FleetResult.latencies`."""

    START = "start"
    """A device authorization request."""
    POLL = "poll"
    """A poll that asked for no hold, and was not answered with tokens."""
    HELD_POLL = "held_poll"
    """A poll with `Prefer: wait=N`, not answered with tokens: up to N s are the hold."""
    REDEMPTION = "redemption"
    """A poll that was answered with tokens. Of a held one, up to N s are the hold."""
    DECISION = "decision"
    """A request (or a command) with which a person decides."""
    APPROVAL_TO_TOKENS = "approval_to_tokens"
    """From the acknowledged approval until the device had its tokens."""
    REFRESH = "refresh"
    """A refresh of tokens."""
    CONNECT = "connect"
    """A new connection, with TLS if there is any."""


Bound = Literal["below", "at most", "exactly", "at least", "above"]
"""How a figure must compare with the wanted one."""

_HOLDS: dict[Bound, Callable[[float, float], bool]] = {
    "below": operator.lt,
    "at most": operator.le,
    "exactly": operator.eq,
    "at least": operator.ge,
    "above": operator.gt,
}


class People(msgspec.Struct, frozen=True, kw_only=True):
    """What people do. The three shares are fractions, and their sum is 1.

    The time until a decision is log-normal: `median_s`, and `sigma` of its logarithm. `by`: how
    they decide: "admin" (the API of operators), "command", "browser", or "nobody".
    """

    by: str
    approve: float
    deny: float
    walk_away: float
    median_s: float
    sigma: float


TIMEOUT_S = 30.0
"""The usual `timeout_s`: many libraries of devices have 30 s or more."""

KNOWN_WITHIN_S = 2.0
"""The `known_within_s` of a run without faults."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What the run was asked to do.

    `styles`: the fraction of devices with each polling style. `arrival`: the name of the pattern.
    `ramp_s`: within which time a steady fleet begins; None: as fast as the pattern has it.
    `hold_s`: the N of `Prefer: wait=N`, of devices whose polls are held. `refreshers`: how many
    devices stay once they have tokens, and refresh them. `token_clock`: how many times faster than
    real time the tokens age. `timeout_s`: how long devices wait for an answer, beside a hold that
    they have asked for. `known_within_s`: a poll that is sent so long after an acknowledged
    decision has to learn it. A server that cannot read its store may say for a while that a grant
    is pending, so this is longer in a run in which faults are brought about.
    """

    devices: int
    arrival: str
    seconds: float
    styles: dict[str, float]
    people: People
    seed: int
    hold_s: int = 0
    refreshers: int = 0
    token_clock: float = 1.0
    ramp_s: float | None = None
    timeout_s: float = TIMEOUT_S
    known_within_s: float = KNOWN_WITHIN_S


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the devices were set to, and what the server told them.

    `interval_s`, `expires_in_s`: of the first device authorization response, or None before it.
    `processes` of the generator, `source_addresses` that its connections came from.
    """

    target: str
    client_id: str
    scope: str
    device_authorization_endpoint: str
    token_endpoint: str
    interval_s: float | None = None
    expires_in_s: float | None = None
    processes: int = 1
    source_addresses: int = 1


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine of the generator, without its name. `memory_gb` in GB of 10^9 bytes."""

    cpu: str
    cores: int
    memory_gb: float
    system: str
    versions: dict[str, str]


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in one second of the run. `at_s`: its start.

    `devices`: in the run at its end. `pending`: of these, with an undecided grant. `connections`:
    open at its end. `polls`: the answers by PollOutcome. The percentiles are of the polls without a
    hold that were answered in this second; None without any. The latencies from an approval to the
    tokens are those of tokens that arrived in this second. `late_ms`: the longest delay with which
    the generator itself sent a request. `cpu_s`: CPU time that the generator used.
    `server_cpu_s`, `server_memory_bytes`: of the server, where the run can see its processes.
    """

    at_s: float
    devices: int = 0
    pending: int = 0
    connections: int = 0
    starts: int = 0
    approvals: int = 0
    denials: int = 0
    tokens: int = 0
    refreshes: int = 0
    polls: dict[PollOutcome, int] = {}
    errors: dict[str, int] = {}
    wrong: dict[str, int] = {}
    poll_p50_ms: float | None = None
    poll_p99_ms: float | None = None
    poll_p999_ms: float | None = None
    poll_max_ms: float | None = None
    approval_to_tokens_p50_ms: float | None = None
    approval_to_tokens_max_ms: float | None = None
    late_ms: float = 0.0
    cpu_s: float = 0.0
    server_cpu_s: float | None = None
    server_memory_bytes: int | None = None


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """The latencies of an operation. `buckets`: (upper bound in ms, count), ascending, none empty.

    A bucket is less than 1 % wide, so a percentile is at most 1 % above the true value.
    """

    count: int
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    buckets: list[tuple[float, int]] = []


class WrongOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of wrong outcome. `first_s`: when the first was seen. `example`: what it was.

    No example has a code, a token or a secret in it.
    """

    count: int
    first_s: float
    example: str = ""


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """What was wanted of a figure, and what was measured. `measured`: None if nothing was.

    `name` is for machines ("wrong_outcomes", "poll_p99_ms"), `title` for people. `wanted` and
    `measured` are in `unit`. An objective that could not be measured is not met.
    """

    name: str
    title: str
    wanted: float
    bound: Bound
    measured: float | None
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the figure is as it was wanted."""
        return self.measured is not None and _HOLDS[self.bound](self.measured, self.wanted)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that was brought about. `until_s`: when it was over; None for a moment's fault.

    `name` is for machines ("worker_killed"), `title` for people.
    """

    name: str
    title: str
    at_s: float
    until_s: float | None = None


class FleetResult(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `seconds`: how long it took. `is_complete`: it was not ended before its time.

    `starts`, `tokens`, `refreshes`, `approvals` and `denials` count what succeeded. `polls` are by
    Outcome, `latencies` by Operation. `errors`: failures on the way to an answer (no connection,
    time-out, 5xx, 429), by cause. `wrong`: wrong outcomes, by kind. `notes`: for people: what
    limits the figures.
    """

    format: int = FORMAT
    version: str
    began: datetime
    seconds: float
    is_complete: bool
    scenario: Scenario
    settings: Settings
    machine: Machine
    series: list[Second]
    latencies: dict[Operation, Latency]
    starts: int
    tokens: int
    approvals: int
    denials: int
    refreshes: int
    polls: dict[PollOutcome, int]
    errors: dict[str, int]
    wrong: dict[str, WrongOutcome]
    objectives: list[Objective] = []
    faults: list[Fault] = []
    notes: list[str] = []
    server: str = ""

    @property
    def is_passed(self) -> bool:
        """Whether all objectives are met."""
        return all(objective.is_met for objective in self.objectives)


def as_json(result: FleetResult) -> bytes:
    """Write a result, indented."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def read_result(document: bytes) -> FleetResult:
    """Read a result. May raise ValueError: it is none, or of another version."""
    result = msgspec.json.decode(document, type=FleetResult)
    if result.format != FORMAT:
        raise ValueError(f"the result has format {result.format}; this version reads {FORMAT}")
    return result
