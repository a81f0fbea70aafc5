"""The limit on file descriptors."""

import resource

import pytest
from structlog.testing import capture_logs

from deviceflow.config import Device
from deviceflow.supervisor.descriptors import OPEN_MAX, raise_limit, warn_if_few
from deviceflow.worker import RESERVED_DESCRIPTORS


def test_the_limit_is_raised_as_far_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    assert raise_limit() == 4096
    assert limits == [(4096, 4096)]


def test_it_stays_where_it_cannot_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, -1))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_limit() == 1024


@pytest.mark.parametrize(("soft", "raised"), [(256, OPEN_MAX), (65_536, 65_536), (-1, -1)])
def test_a_hard_limit_without_a_number(
    monkeypatch: pytest.MonkeyPatch, soft: int, raised: int
) -> None:
    """MacOS refuses an unlimited soft limit, and starts programs with 256."""

    def take(_: int, limits: tuple[int, int]) -> None:
        if limits[0] < 0:
            raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, -1))
    monkeypatch.setattr(resource, "setrlimit", take)
    assert raise_limit() == raised


@pytest.mark.parametrize(
    ("limit", "warnings"), [(1024, 1), (999 + RESERVED_DESCRIPTORS, 1), (1256, 0), (-1, 0)]
)
def test_one_line_says_what_to_do(limit: int, warnings: int) -> None:
    with capture_logs() as logs:
        warn_if_few(limit, Device(max_held=1000))
    assert [log["event"] for log in logs] == ["descriptors.few"] * warnings
    assert all(str(1000 + RESERVED_DESCRIPTORS) in log["remedy"] for log in logs)
