"""The handover: what a new program needs to know when it replaces the supervisor's.

At an upgrade the supervisor replaces its own program (execve). The process stays, with its id,
its children (the workers, the embedded store) and the descriptors that are marked inheritable. The
rest is written here, as JSON into anonymous memory, whose descriptor is in an environment variable.

Before that, the same program is tried in a child, with the same handover. The child opens nothing
and starts nothing; it only finds out whether it could take over.
"""

import os
import socket
from typing import Literal

import msgspec

from deviceflow.orders import Report
from deviceflow.supervisor.errors import StartError
from deviceflow.supervisor.workers import WorkerProcess

FORMAT = 1
"""Grows when an older program could not read what a newer one hands over, or the reverse."""

# Not DEVICEFLOW_...: those are settings, and an unknown one is refused.
_VARIABLE = "_DEVICEFLOW_HANDOVER"


class HandedWorker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that goes on while the supervisor changes. `line`: a descriptor."""

    pid: int
    seat: int
    generation: int
    cell: int
    line: int
    started: float
    report: str | None
    retires_since: float | None


class HandedPremises(msgspec.Struct, frozen=True, kw_only=True):
    """Descriptors of the sockets, the memory, the store's lock and the control socket.

    `metrics_layout`: what the memory of the metrics holds, and where. `store_lock` and
    `store_pid`: of the embedded store, if there is one.
    """

    public: list[int]
    admin: list[int]
    pace: int
    board: int
    metrics: int
    metrics_layout: str
    control: int | None
    store_lock: int | None
    store_pid: int | None

    def descriptors(self) -> list[int]:
        """Return all descriptors in it."""
        optional = [number for number in (self.control, self.store_lock) if number is not None]
        return [*self.public, *self.admin, self.pace, self.board, self.metrics, *optional]


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor hands to its successor.

    `fixed`: fingerprints of the settings that cannot change. `asked`: the descriptor of the
    connection of the command that waits for the answer, if there is one.
    """

    format: int = FORMAT
    role: Literal["trial", "successor"]
    fixed: dict[str, str]
    premises: HandedPremises
    asked: int | None
    generation: int
    workers: list[HandedWorker]

    def descriptors(self) -> list[int]:
        """Return all descriptors in it."""
        numbers = [*self.premises.descriptors(), *(each.line for each in self.workers)]
        return numbers if self.asked is None else [*numbers, self.asked]

    def environment(self) -> dict[str, str]:
        """Return the environment of a program that receives this. May raise OSError."""
        memory = os.memfd_create("deviceflow-handover")
        os.write(memory, msgspec.json.encode(self))
        os.set_inheritable(memory, True)  # noqa: FBT003, the function's own signature
        return {**os.environ, _VARIABLE: str(memory)}

    def close(self, environment: dict[str, str]) -> None:
        """Free what `environment` made."""
        os.close(int(environment[_VARIABLE]))


def received_handover() -> Handover | None:
    """Return what the program before handed to this one, None at a start. May raise StartError."""
    number = os.environ.pop(_VARIABLE, None)
    if number is None:
        return None
    with os.fdopen(int(number), "rb") as memory:
        memory.seek(0)
        text = memory.read()
    try:
        handover = msgspec.json.decode(text, type=Handover)
    except msgspec.DecodeError as error:
        raise StartError("this version cannot take over from the running one; restart") from error
    if handover.format != FORMAT:
        raise StartError("this version cannot take over from the running one; restart the server")
    if handover.role == "successor":
        set_inheritable(handover.descriptors(), inheritable=False)
    return handover


def set_inheritable(descriptors: list[int], *, inheritable: bool) -> None:
    """Set whether the next program inherits these descriptors."""
    for number in descriptors:
        os.set_inheritable(number, inheritable)


def hand(process: WorkerProcess) -> HandedWorker:
    """Write down a worker."""
    return HandedWorker(
        pid=process.pid,
        seat=process.seat,
        generation=process.generation,
        cell=process.cell,
        line=process.line.fileno(),
        started=process.started,
        report=process.report.name if process.report else None,
        retires_since=process.retires_since,
    )


def take_over(handed: HandedWorker) -> WorkerProcess:
    """Make the record of a worker that was written down."""
    return WorkerProcess(
        pid=handed.pid,
        seat=handed.seat,
        generation=handed.generation,
        cell=handed.cell,
        line=socket.socket(fileno=handed.line),
        started=handed.started,
        report=Report[handed.report] if handed.report else None,
        retires_since=handed.retires_since,
    )
