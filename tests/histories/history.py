"""The history of a run: what devices, people and operators did, and what they learned of it.

An operation is noted when it begins and again when it ends, as a line of JSON each. An operation
whose end is unknown (no answer in time, a connection that broke, a 503) may have happened: its
outcome is MAYBE. No line has a token or a code: tokens are named by a digest.

| operation | arguments | result |
|---|---|---|
| start | client, scope, lifetime_s | grant, interval |
| poll | grant; wait (s) if it may be held; host, if the device stays at one | answer, and more |
| refresh | grant, token | answer; jti, refresh |
| revoke | grant, token (empty: by the access token) | |
| claim | grant, sub | |
| approve, deny | grant, sub; scope if it is a part; by: api, page or report | |
| cancel | grant | |
| disable, enable | sub | |
| disable-client, enable-client, revoke-client | client | |
| rotate-keys, reload | | |
| fault | kind, and what it needs | |

`grant` is the name that the run gives a grant. A poll with the answer `slow_down` has the interval,
one with `tokens` has jti, sub, scope and refresh. `unread` in the result of a MAYBE: an answer
came, and the device ignored it, as if the network had lost it. `status`: of HTTP, if it is unusual.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Literal

import msgspec


class Outcome(StrEnum):
    """How an operation ended, as its process knows it."""

    DONE = "done"
    REFUSED = "refused"
    MAYBE = "maybe"


class Operation(msgspec.Struct, kw_only=True):
    """One operation of a process. Times in s since the beginning of the run, by a steady clock.

    `completed`: when the process stopped waiting; None if it still waits, or never will. Until
    then, the outcome is MAYBE.
    """

    number: int
    process: str
    name: str
    args: dict[str, Any]
    invoked: float
    completed: float | None = None
    outcome: Outcome = Outcome.MAYBE
    result: dict[str, Any] = {}

    @property
    def is_done(self) -> bool:
        """Whether the process knows that it happened."""
        return self.outcome is Outcome.DONE

    @property
    def may_have_happened(self) -> bool:
        """Whether it happened, as far as the process knows."""
        return self.outcome is not Outcome.REFUSED

    @property
    def answer(self) -> str:
        """The answer to a poll or a refresh: `tokens` or an error; empty if it is not known."""
        return str(self.result.get("answer", "")) if self.is_done else ""

    @property
    def ended(self) -> float:
        """When it was over for the process; infinitely late if it never was."""
        return float("inf") if self.completed is None else self.completed


class _Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A line of the file: all of an operation that begins, or what its end adds."""

    type: Literal["invoke", "complete"]
    number: int
    at: float
    process: str = ""
    name: str = ""
    args: dict[str, Any] = {}
    outcome: Outcome | None = None
    result: dict[str, Any] = {}


class History:
    """The operations of a run, in the order in which they began.

    `changed`: the grants of which something was noted since it was last taken.
    """

    def __init__(
        self, file: IO[bytes] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.operations: list[Operation] = []
        self.changed: set[str] = set()
        self._file = file
        self._clock = clock
        self._began = clock()

    @property
    def now(self) -> float:
        """The time since the beginning of the run, in s."""
        return self._clock() - self._began

    @contextmanager
    def operation(self, process: str, name: str, **args: Any) -> Iterator[Operation]:  # noqa: ANN401, JSON
        """Note an operation while the block runs. The block sets its outcome and its result."""
        operation = Operation(
            number=len(self.operations), process=process, name=name, args=args, invoked=self.now
        )
        self.operations.append(operation)
        self._write(
            _Line(
                type="invoke",
                number=operation.number,
                at=round(operation.invoked, 6),
                process=process,
                name=name,
                args=args,
            )
        )
        try:
            yield operation
        finally:
            self._complete(operation)

    def _complete(self, operation: Operation) -> None:
        operation.completed = self.now
        grant = grant_of(operation)
        if grant:
            self.changed.add(grant)
        self._write(
            _Line(
                type="complete",
                number=operation.number,
                at=round(operation.completed, 6),
                outcome=operation.outcome,
                result=operation.result,
            )
        )

    def _write(self, line: _Line) -> None:
        if self._file is not None:
            self._file.write(msgspec.json.encode(line) + b"\n")


def read(path: Path) -> list[Operation]:
    """Read the operations in a file of a run, also of one that was interrupted."""
    operations: dict[int, Operation] = {}
    with path.open("rb") as file:
        for text in file:
            line = msgspec.json.decode(text, type=_Line)
            if line.type == "invoke":
                operations[line.number] = Operation(
                    number=line.number,
                    process=line.process,
                    name=line.name,
                    args=line.args,
                    invoked=line.at,
                )
                continue
            operation = operations[line.number]
            operation.completed = line.at
            operation.outcome = line.outcome or Outcome.MAYBE
            operation.result = line.result
    return list(operations.values())


def grant_of(operation: Operation) -> str:
    """Return the name of the grant that an operation is about; empty if there is none."""
    return str(operation.args.get("grant") or operation.result.get("grant") or "")


def digest(secret: str) -> str:
    """Name a token, so that two tokens can be compared and none is written down."""
    return hashlib.blake2b(secret.encode(), digest_size=8).hexdigest() if secret else ""


def describe(operations: Iterable[Operation]) -> Iterator[str]:
    """Show operations to a person, a line each."""
    for operation in operations:
        ended = "" if operation.completed is None else f"{operation.completed:9.3f}"
        args = {name: value for name, value in operation.args.items() if name != "grant"}
        told = " ".join(f"{name}={value}" for name, value in (args | operation.result).items())
        yield (
            f"{operation.invoked:9.3f} {ended:>9}  {operation.process:<14} {operation.name:<14} "
            f"{operation.outcome:<8} {told}"
        )
