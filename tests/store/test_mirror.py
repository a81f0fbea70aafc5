"""The mirror: decisions, hints, watchers and memory. It needs no store."""

import sys
import tracemalloc

import pytest

from deviceflow.core.grant import State
from deviceflow.store.mirror import Mirror

NOW = 1_800_000_000
LIFETIME_S = 600
LIVE = 200_000
BYTES_A_DECISION = 300


@pytest.fixture
def mirror() -> Mirror:
    return Mirror()


@pytest.fixture
def heard() -> list[State]:
    """What a watcher was told; `heard.append` is the watcher."""
    return []


def test_pending_is_the_absence_of_a_decision(mirror: Mirror) -> None:
    assert mirror.state_of(1) is State.PENDING
    assert len(mirror) == 0


def test_what_was_cancelled_with_its_client_is_cancelled(mirror: Mirror) -> None:
    mirror.learn(3, State.APPROVED, NOW + LIFETIME_S)
    mirror.learn(4, None, NOW + LIFETIME_S)
    mirror.adopt_cancellations({b"tv": 10})
    assert mirror.state_of(9, b"tv") is State.CANCELLED
    assert mirror.is_cancelled(b"tv", 9)
    assert mirror.state_of(10, b"tv") is State.PENDING, "it began after the cancellation"
    assert mirror.state_of(9, b"printer") is State.PENDING
    assert mirror.state_of(3, b"tv") is State.APPROVED, "what was decided before stays"
    assert mirror.state_of(4, b"tv") is None, "the store knows more"


def test_a_hint_means_ask(mirror: Mirror) -> None:
    mirror.learn(7, None, NOW + 60)
    assert mirror.state_of(7) is None
    assert mirror.state_of(8) is State.PENDING


def test_a_hint_never_replaces_a_decision(mirror: Mirror) -> None:
    mirror.learn(7, State.APPROVED, NOW + 60)
    mirror.learn(7, None, NOW + 60)
    assert mirror.state_of(7) is State.APPROVED


def test_a_decision_replaces_a_hint(mirror: Mirror) -> None:
    mirror.learn(7, None, NOW + 60)
    mirror.learn(7, State.DENIED, NOW + 60)
    assert mirror.state_of(7) is State.DENIED
    assert len(mirror) == 1


# Watchers


def test_a_watcher_hears_of_every_decision(mirror: Mirror, heard: list[State]) -> None:
    other: list[State] = []
    mirror.watch(1, heard.append)
    mirror.watch(1, other.append)
    mirror.learn(2, State.DENIED, NOW + 60)
    assert heard == []
    mirror.learn(1, State.APPROVED, NOW + 60)
    mirror.learn(1, State.REDEEMED, NOW + 60)
    assert heard == other == [State.APPROVED, State.REDEEMED]


def test_a_watcher_hears_at_once_what_is_known(mirror: Mirror, heard: list[State]) -> None:
    mirror.learn(1, State.DENIED, NOW + 60)
    mirror.watch(1, heard.append)
    assert heard == [State.DENIED]


def test_a_watcher_may_stop_watching_while_it_is_called(mirror: Mirror) -> None:
    heard: list[str] = []

    def first(_: State) -> None:
        heard.append("first")
        mirror.unwatch(1, first)

    def second(_: State) -> None:
        heard.append("second")
        mirror.unwatch(1, second)

    mirror.watch(1, first)
    mirror.watch(1, second)
    for _ in range(2):
        mirror.learn(1, State.APPROVED, NOW + 60)
    assert heard == ["first", "second"]


@pytest.mark.parametrize("is_hinted_first", [True, False])
def test_a_watched_hint_is_unresolved_until_the_decision(
    mirror: Mirror, heard: list[State], *, is_hinted_first: bool
) -> None:
    mirror.learn(9, None, NOW + 60)
    if is_hinted_first:
        mirror.learn(1, None, NOW + 60)
    mirror.watch(1, heard.append)
    assert mirror.unresolved() == ([1] if is_hinted_first else [])
    mirror.learn(1, None, NOW + 60)
    assert mirror.unresolved() == [1]
    assert heard == []
    mirror.learn(1, State.CANCELLED, NOW + 60)
    assert mirror.unresolved() == []
    assert heard == [State.CANCELLED]


def test_who_watches_no_more_leaves_nothing_behind(mirror: Mirror, heard: list[State]) -> None:
    mirror.learn(1, None, NOW + 60)
    for grant_id in (1, 2):
        mirror.watch(grant_id, heard.append)
        mirror.unwatch(grant_id, heard.append)
        mirror.unwatch(grant_id, heard.append)
    mirror.learn(1, State.DENIED, NOW + 60)
    assert heard == []
    assert (mirror._watchers, mirror.unresolved()) == ({}, [])


# Memory


def test_a_grant_that_has_ended_gives_its_memory_back(mirror: Mirror) -> None:
    for grant_id in range(100):
        mirror.learn(grant_id, State.DENIED, NOW + grant_id)
        mirror.learn(grant_id + 1000, None, NOW + grant_id)
    assert len(mirror) == 200
    mirror.forget_expired(NOW + 50)
    assert mirror.state_of(99) is State.DENIED
    assert mirror.state_of(1099) is None
    assert 100 <= len(mirror) <= 140, "what has ended long ago is gone, nothing else is"
    mirror.forget_expired(NOW + 150)
    assert len(mirror) == 0
    assert mirror._ends == {}


def test_after_forgetting_all_the_watchers_are_there(mirror: Mirror, heard: list[State]) -> None:
    mirror.learn(1, State.DENIED, NOW + 60)
    mirror.watch(2, heard.append)
    mirror.forget_all()
    assert len(mirror) == 0
    assert mirror.state_of(1) is State.PENDING
    mirror.learn(2, State.CANCELLED, NOW + 60)
    assert heard == [State.CANCELLED]
    mirror.forget_expired(NOW + 100)
    assert (len(mirror), mirror._ends) == (0, {})


def test_two_hundred_thousand_live_decisions(mirror: Mirror) -> None:
    """Each costs so many bytes while its grant lives, and none afterwards."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(LIVE):
            mirror.learn(number << 24 | 5, State.APPROVED, NOW + number % LIFETIME_S)
        learned, _ = tracemalloc.get_traced_memory()
        assert len(mirror) == LIVE
        assert (learned - before) / LIVE < BYTES_A_DECISION
        mirror.forget_expired(NOW + LIFETIME_S / 2)
        # Buckets are dropped whole, and only when the last grant in them has ended.
        assert LIVE * 0.49 < len(mirror) < LIVE * 0.54
        mirror.forget_expired(NOW + LIFETIME_S + 32)
        assert len(mirror) == 0
        assert not mirror._ends
        mirror.learn(1, State.DENIED, NOW + 2 * LIFETIME_S)
        rest, _ = tracemalloc.get_traced_memory()
        # A dict keeps the table of its largest size, for what comes next.
        rest -= sys.getsizeof(mirror._states)
        assert rest - before < (learned - before) / 20
    finally:
        tracemalloc.stop()
