"""The address of a request, with trusted and other proxies (9700-4.13-a)."""

from ipaddress import ip_network

import pytest

from deviceflow.core.address import (
    client_address,
    forwarded_for,
    is_shared,
    is_trusted,
    rate_key,
    site_key,
)

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"))


def test_a_stranger_s_header_changes_nothing() -> None:
    """9700-4.13-a: a forged X-Forwarded-For changes no limit."""
    assert client_address("198.51.100.7", ["203.0.113.1"], PROXIES) == "198.51.100.7"
    assert client_address("198.51.100.7", ["203.0.113.1"], ()) == "198.51.100.7"


def test_without_a_header_a_proxy_speaks_for_itself() -> None:
    assert client_address("10.0.0.1", [], PROXIES) == "10.0.0.1"


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["203.0.113.1"], "203.0.113.1"),
        (["192.0.2.66, 203.0.113.1"], "203.0.113.1"),
        (["192.0.2.66, 203.0.113.1, 10.0.0.2"], "203.0.113.1"),
        (["192.0.2.66", "203.0.113.1", "10.9.9.9 , 10.0.0.2"], "203.0.113.1"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (["203.0.113.1:50000"], "203.0.113.1"),
        (["2001:db8::7"], "2001:db8::7"),
        (["[2001:db8::7]:50000"], "2001:db8::7"),
        (["203.0.113.1, 2001:db8:ffff::1"], "203.0.113.1"),
    ],
)
def test_the_rightmost_address_that_is_no_proxy_counts(lines: list[str], address: str) -> None:
    """9700-4.13-a: the client may have written all entries to the left of it."""
    assert client_address("10.0.0.1", lines, PROXIES) == address


@pytest.mark.parametrize("line", ["", "unknown", "_hidden", "203.0.113.1, nonsense", "1.2.3"])
def test_an_entry_that_is_no_address_ends_the_search(line: str) -> None:
    assert client_address("10.0.0.1", [line], PROXIES) == "10.0.0.1"


def test_a_mapped_address_is_the_ipv4_address_that_it_carries() -> None:
    assert client_address("::ffff:10.0.0.1", ["203.0.113.1"], PROXIES) == "203.0.113.1"
    assert client_address("::ffff:203.0.113.1", [], PROXIES) == "203.0.113.1"


def test_a_unix_socket_has_no_address_and_is_no_proxy() -> None:
    assert client_address("", ["203.0.113.1"], PROXIES) == ""


@pytest.mark.parametrize(
    ("peer", "is_ours"),
    [
        ("10.0.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("2001:db8:ffff::1", True),
        ("198.51.100.7", False),
        ("::ffff:198.51.100.7", False),
        ("", False),
    ],
)
def test_who_is_a_proxy_of_ours(peer: str, is_ours: bool) -> None:  # noqa: FBT001 - a column
    """9700-4.13-a: the same rule holds for the address and for other headers of a proxy."""
    assert is_trusted(peer, PROXIES) is is_ours
    assert (client_address(peer, ["203.0.113.1"], PROXIES) == "203.0.113.1") is is_ours


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("not an address", "not an address"),
    ],
)
def test_an_ipv6_network_is_counted_as_one(address: str, key: str) -> None:
    """A limit on a single address of a /64 is useless: the next guess has another address."""
    assert rate_key(address) == key


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::1", "2001:db8:1::/48"),
        ("203.0.113.7", None),
        ("::ffff:203.0.113.7", None),
        ("", None),
    ],
)
def test_the_site_of_an_ipv6_address(address: str, site: str | None) -> None:
    assert site_key(address) == site


def test_neighbours_in_a_64_share_a_key() -> None:
    assert rate_key("2001:db8::1") == rate_key("2001:db8::ffff:1")
    assert rate_key("2001:db8::1") != rate_key("2001:db8:0:1::1")


@pytest.mark.parametrize(
    ("lines", "entries"),
    [
        ([], []),
        (["for=192.0.2.60"], ["192.0.2.60"]),
        (["For=192.0.2.60;proto=http;by=203.0.113.43"], ["192.0.2.60"]),
        (["for=192.0.2.43, for=198.51.100.17"], ["192.0.2.43", "198.51.100.17"]),
        (["for=192.0.2.43", "by=x;FOR=198.51.100.17"], ["192.0.2.43", "198.51.100.17"]),
        (['for="[2001:db8:cafe::17]:4711"'], ["[2001:db8:cafe::17]:4711"]),
        (['for="192.0.2.1:443" ; proto=https'], ["192.0.2.1:443"]),
        (["for=192.0.2.1:443"], ["192.0.2.1:443"]),
        (['for=192.0.2.1;host="a.example, for=6.6.6.6"'], ["192.0.2.1"]),
        (['host="x;for=6.6.6.6";for=192.0.2.1'], ["192.0.2.1"]),
        (['host="a\\", for=6.6.6.6";for=192.0.2.1'], ["192.0.2.1"]),
        (["for=_hidden", "for=unknown"], ["_hidden", "unknown"]),
        (["proto=https"], [""]),
        (["for=192.0.2.1;for=192.0.2.2"], [""]),
        (['for="x, for=192.0.2.1'], [""]),
        (['for="x, for="[2001:db8::1]"'], [""]),
        (["for=192.0.2.1,"], [""]),
        ([""], [""]),
        (["192.0.2.1"], [""]),
        (["for=192.0.2.1 for=192.0.2.2"], [""]),
    ],
)
def test_forwarded(lines: list[str], entries: list[str]) -> None:
    """RFC 7239 4, 5.2, and what a client may have written to the left of a proxy."""
    assert forwarded_for(lines) == entries


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("for=203.0.113.1", "203.0.113.1"),
        ("for=6.6.6.6, for=203.0.113.1;proto=https, for=10.0.0.2", "203.0.113.1"),
        ('for="[2001:db8::7]"', "2001:db8::7"),
        ("for=203.0.113.1, for=_hidden", "10.0.0.1"),
        ('for="x, for=203.0.113.1', "10.0.0.1"),
    ],
)
def test_the_rightmost_forwarded_address_that_is_no_proxy_counts(line: str, address: str) -> None:
    assert client_address("10.0.0.1", forwarded_for([line]), PROXIES) == address


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.1.2.3",
        "172.31.0.1",
        "100.127.0.1",
        "192.168.0.1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "",
        "x",
    ],
)
def test_shared_addresses(address: str) -> None:
    assert is_shared(address)
    assert not is_shared("203.0.113.1")
    assert not is_shared("2001:db8::1")
