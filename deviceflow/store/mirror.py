"""The mirror: one worker's copy, in its own memory, of the decisions of live grants.

Pending is the absence of a decision. What is known of a grant is a state, or a hint: something
may have happened, so the next poll of the grant asks the store. The mirror itself asks
nothing: `feed` brings it what other workers decide, `Grants` what this worker decides, and a
poll what it has learned from the store. Beside single decisions, it knows up to which grant id all
grants of a client were cancelled.
"""

from collections.abc import Callable, Mapping

from deviceflow.core.grant import PENDING, State

# Decisions are kept until their grants have ended, in buckets of so many s that are dropped whole.
_BUCKET_S = 16

Watcher = Callable[[State], None]


class Mirror:
    """Decisions of live grants. A grant is named by its id; `expires_at` in s."""

    def __init__(self) -> None:
        self._states: dict[int, State | None] = {}
        self._ends: dict[int, list[int]] = {}
        self._watchers: dict[int, list[Watcher]] = {}
        self._unresolved: set[int] = set()
        # By client id: all its grants with a lower id were cancelled together.
        self.cancelled_below: dict[bytes, int] = {}
        self._on_cancellation: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self._states)

    def state_of(self, grant_id: int, client_id: bytes = b"") -> State | None:
        """Return the state of an unexpired grant; None for a hint: ask the store.

        `client_id`: of its client, so that a cancellation of all of the client's grants counts.
        """
        state = self._states.get(grant_id, PENDING)
        # This is `is_cancelled`, without its call: each poll comes here.
        if state is PENDING and grant_id < self.cancelled_below.get(client_id, 0):
            return State.CANCELLED
        return state

    def learn(self, grant_id: int, state: State | None, expires_at: int) -> None:
        """Note a decision and call its watchers. None is a hint, and replaces no decision."""
        if grant_id not in self._states:
            self._ends.setdefault(expires_at // _BUCKET_S, []).append(grant_id)
        elif state is None:
            return
        self._states[grant_id] = state
        if state is not None:
            self._tell(grant_id, state)
        elif grant_id in self._watchers:
            self._unresolved.add(grant_id)

    def adopt_cancellations(self, cancelled_below: Mapping[bytes, int]) -> None:
        """Take the marks as they are in the store, and call the listeners if that is news."""
        if cancelled_below != self.cancelled_below:
            self.cancelled_below = dict(cancelled_below)
            for listener in self._on_cancellation:
                listener()

    def on_cancellation(self, listener: Callable[[], None]) -> None:
        """Call `listener` each time that all grants of a client were cancelled."""
        self._on_cancellation.append(listener)

    def is_cancelled(self, client_id: bytes, grant_id: int) -> bool:
        """Return whether a grant was cancelled with all of its client. It says nothing of others.

        A grant that has been denied or redeemed before stays what it is.
        """
        return grant_id < self.cancelled_below.get(client_id, 0)

    def watch(self, grant_id: int, watcher: Watcher) -> None:
        """Call `watcher` at each decision of a grant; at once if there is one."""
        self._watchers.setdefault(grant_id, []).append(watcher)
        state = self.state_of(grant_id)
        if state is None:
            self._unresolved.add(grant_id)
        elif state is not PENDING:
            watcher(state)

    def unwatch(self, grant_id: int, watcher: Watcher) -> None:
        """Stop calling `watcher`. It may be called for a watcher that is not there."""
        watchers = self._watchers.get(grant_id, [])
        if watcher in watchers:
            watchers.remove(watcher)
        if not watchers:
            self._watchers.pop(grant_id, None)
            self._unresolved.discard(grant_id)

    def unresolved(self) -> list[int]:
        """Return the watched grants that are known by a hint only."""
        return list(self._unresolved)

    def forget_expired(self, now: float) -> None:
        """Give back the memory of grants that have ended by `now` (s)."""
        current = int(now) // _BUCKET_S
        for bucket in [bucket for bucket in self._ends if bucket < current]:
            for grant_id in self._ends.pop(bucket):
                self._states.pop(grant_id, None)

    def forget_all(self) -> None:
        """Forget every decision. The watchers stay: new decisions may come."""
        self._states.clear()
        self._ends.clear()
        self.cancelled_below.clear()

    def _tell(self, grant_id: int, state: State) -> None:
        self._unresolved.discard(grant_id)
        for watcher in list(self._watchers.get(grant_id, ())):
            watcher(state)
