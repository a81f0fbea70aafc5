"""What the store's rooms report of themselves: the time of commands, failures, push messages."""

import time

import structlog

from deviceflow.core.clock import SteadyClock
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.metric import OTHER
from deviceflow.ops.metrics.recorder import Recorder

LOST_AFTER_S = 5.0
"""A push message that its sender has not heard by then counts as lost."""

MOST_EXPECTED = 10_000
"""Cap on messages that a worker waits to hear. Beyond it, it does not measure further ones."""

TOO_FEW_REPLICAS = "too few replicas"

log = structlog.get_logger()


class StoreWatch:
    """Measures the commands of one worker, and logs when the replicas leave and come back.

    `refused`: how many commands the store has refused since it last took one of that kind.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._in_flight = 0
        self._lacks_replicas = 0
        self._refused = 0

    def begin(self) -> float:
        """Begin to measure a command; return what `end` has to know."""
        self._in_flight += 1
        return time.perf_counter()

    def end(self, began: float, error: BaseException | None = None) -> None:
        """Note that a command has ended. A failure is an Exception, with its reason as the text."""
        self._in_flight -= 1
        self._recorder.observe(table.STORE_COMMANDS, time.perf_counter() - began)
        if isinstance(error, Exception):
            self._note_failure(error)

    @property
    def in_flight(self) -> int:
        """How many commands run or wait."""
        return self._in_flight

    def take_refused(self) -> int:
        """Return how many commands were refused since the last call."""
        refused, self._refused = self._refused, 0
        return refused

    def note_replicas(self, *, are_enough: bool) -> None:
        """Note whether enough replicas had a change in time. Log each change of that, once."""
        if not are_enough:
            self._lacks_replicas += 1
            if self._lacks_replicas == 1:
                consequence = "pending polls go on; no new grants, no decisions"
                log.warning("store.refuses", reason=TOO_FEW_REPLICAS, consequence=consequence)
        elif self._lacks_replicas:
            log.info("store.accepts", reason=TOO_FEW_REPLICAS, refused=self._lacks_replicas)
            self._lacks_replicas = 0

    def _note_failure(self, error: Exception) -> None:
        reason = reason_of(error)
        self._recorder.count(table.STORE_ERRORS, reason)
        self._refused += reason.isupper()


def reason_of(error: Exception) -> str:
    """Return the reason of a failure, as the table lists them: the code of a refusal, or a word."""
    text = str(error)
    if text in table.STORE_ERRORS.labels["reason"]:
        return text
    if "Timeout" in text:
        return "timeout"
    return "unreachable" if text.endswith("Error") else OTHER


def note_look(recorder: Recorder, succeeded: bool) -> None:  # noqa: FBT001, a callback
    """Count a look at the decision log. A look that succeeds makes the mirror young."""
    recorder.count(table.CATCH_UPS, "succeeded" if succeeded else "failed")
    if succeeded:
        recorder.set(table.MIRROR_AGE, time.monotonic())


class PushWatch:
    """Measures how long a worker's own push messages take to come back, and which never do."""

    def __init__(self, recorder: Recorder, steady: SteadyClock = time.monotonic) -> None:
        self._recorder = recorder
        self._steady = steady
        self._expected: dict[int, float] = {}

    def sent(self, grant_id: int) -> None:
        """Note that this worker is about to push a decision of a grant."""
        self._recorder.count(table.PUSHES_SENT)
        if len(self._expected) < MOST_EXPECTED:
            self._expected[grant_id] = self._steady()

    def heard(self, grant_id: int) -> None:
        """Note that a decision of a grant was heard."""
        self._recorder.count(table.PUSHES_HEARD)
        sent_at = self._expected.pop(grant_id, None)
        if sent_at is not None:
            self._recorder.observe(table.PUSH_DELAY, self._steady() - sent_at)

    def give_up_lost(self) -> None:
        """Count the messages that were not heard in time as lost."""
        deadline = self._steady() - LOST_AFTER_S
        for grant_id, sent_at in list(self._expected.items()):
            if sent_at > deadline:
                break
            del self._expected[grant_id]
            self._recorder.count(table.PUSHES_LOST)
