"""A plan in words and tables."""

import pytest

from benchmarks.capacity.page import PAGE, page_as_of_now
from deviceflow.capacity.costs import read
from deviceflow.capacity.fleet import Fleet
from deviceflow.capacity.plan import plan
from deviceflow.capacity.words import (
    SIZES,
    amount,
    counted,
    details,
    markdown,
    scaled,
    sentences,
    setting_lines,
    size_table,
)

COSTS = read()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (0.0004, "<0.01"),
        (0.0123, "0.012"),
        (0.456, "0.46"),
        (1.25, "1.2"),
        (9.96, "10.0"),
        (57.3, "57"),
        (310, "310"),
        (41_327, "41,000"),
        (1e8, "100,000,000"),
    ],
)
def test_amounts_have_two_digits(value: float, words: str) -> None:
    assert amount(value) == words


def test_units_have_prefixes() -> None:
    assert scaled(1.2e9, "B") == "1.2 GB"
    assert scaled(3.1e8, "bit/s") == "310 Mbit/s"
    assert scaled(12, "B") == "12 B"
    assert (counted(1, "host"), counted(2, "host")) == ("1 host", "2 hosts")


def test_the_parts_of_a_plan_in_sentences() -> None:
    hosts, nginx, store, network = sentences(plan(Fleet(devices=1e7), COSTS))
    assert "the peak when 1 is away" in hosts
    assert nginx.startswith("nginx on the same hosts: ")
    assert "of which TLS needs" in nginx
    assert "maxmemory" in store
    assert "to and from devices and people" in network


def test_a_large_store_is_a_cluster_and_proxies_have_hosts() -> None:
    found = plan(Fleet(devices=1e8, proxies="own", spare=2), COSTS)
    hosts, nginx, store, _ = sentences(found)
    assert "when 2 are away" in hosts
    assert found.proxies is not None
    assert f"on {counted(found.proxies.hosts, 'host')} of its own" in nginx
    assert store.startswith("Redis Cluster of ")
    assert len(list(sentences(plan(Fleet(devices=1e6, tls="none"), COSTS)))) == 3


def test_tables_name_all_that_is_asked_for() -> None:
    tables = dict(details(plan(Fleet(devices=1e6), COSTS)))
    assert tables.keys() == {"Load", "Cores of the workers", "Memory of the store"}
    assert all(len({len(row) for row in rows}) == 1 for rows in tables.values())


def test_settings_as_lines() -> None:
    lines = list(setting_lines(plan(Fleet(devices=1e7, waiting=1e7), COSTS)))
    assert "device.pace_slots = 16_777_216" in lines


def test_a_table_has_a_row_for_each_size() -> None:
    rows = size_table(Fleet(devices=1e4, waiting=1e4), COSTS)
    assert [row[0] for row in rows[1:]] == [amount(size) for size in SIZES]
    assert rows[-1][1] == amount(1e8)
    assert len({line.count("|") for line in markdown(rows).splitlines()}) == 1


def test_the_tables_of_the_page_are_those_of_today() -> None:
    """`python -m benchmarks capacity --write-docs` writes them."""
    text = PAGE.read_text(encoding="utf-8")
    assert page_as_of_now(text) == text
