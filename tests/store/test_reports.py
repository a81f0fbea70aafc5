"""Reports, on fakeredis and on a real server alike."""

import pytest

from deviceflow.store import reports
from deviceflow.store.reports import REPORTS_KEPT_S, ReportCounts, Reports
from tests.stage.store import Store


def counted(of_client: int, of_address: int, *, is_new: bool = True) -> ReportCounts:
    return ReportCounts(is_new=is_new, of_client=of_client, of_address=of_address)


@pytest.fixture
def opened(each_store: Store) -> Reports:
    return Reports(each_store.connection, each_store.installation, each_store.clock)


async def test_they_are_counted_by_client_and_by_address(opened: Reports) -> None:
    assert await opened.add("one", "tv", "192.0.2.1") == counted(1, 1)
    assert await opened.add("two", "tv", "192.0.2.2") == counted(2, 1)
    assert await opened.add("three", "radio", "192.0.2.2") == counted(1, 2)


async def test_a_grant_counts_once(opened: Reports) -> None:
    await opened.add("one", "tv", "192.0.2.1")
    assert await opened.add("one", "tv", "192.0.2.1") == counted(1, 1, is_new=False)


async def test_without_an_address(opened: Reports) -> None:
    """A proxy on a Unix socket may name none: then strangers are not counted together."""
    assert await opened.add("one", "tv", "") == counted(1, 0)


async def test_they_are_forgotten_after_a_day(opened: Reports, each_store: Store) -> None:
    await opened.add("one", "tv", "192.0.2.1")
    each_store.clock.advance(REPORTS_KEPT_S - 1)
    assert (await opened.add("two", "tv", "192.0.2.1")).of_client == 2
    each_store.clock.advance(1)
    assert (await opened.add("three", "tv", "192.0.2.1")).of_client == 2


async def test_the_number_that_is_kept_has_a_limit(
    opened: Reports, each_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_KEPT", 2)
    counts = [await opened.add(name, "tv", "") for name in ("one", "two", "three", "four")]
    assert [each.of_client for each in counts] == [1, 2, 2, 2]
    [key] = await each_store.connection.command("KEYS", "df:n:*")
    assert await each_store.connection.command("ZCARD", key) == 2


async def test_no_key_tells_an_address(opened: Reports, each_store: Store) -> None:
    await opened.add("one", "tv-app", "192.0.2.1")
    for key in await each_store.connection.command("KEYS", "*"):
        assert b"192.0.2.1" not in key
        assert b"tv-app" not in key
