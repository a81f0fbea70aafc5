"""Core dumps."""

import resource

import pytest

from deviceflow.supervisor.core_dumps import forbid_core_dumps


@pytest.mark.parametrize("hard", [0, 4096, resource.RLIM_INFINITY])
def test_none_is_left_unless_an_operator_allows_it(
    monkeypatch: pytest.MonkeyPatch, hard: int
) -> None:
    limits: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (hard, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda *limit: limits.append(limit))
    forbid_core_dumps()
    assert limits == [(resource.RLIMIT_CORE, (0, hard))]
