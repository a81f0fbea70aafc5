"""Origins in normal form."""

import pytest

from deviceflow.core.origin import host_in_url, is_written_as_in_browsers, origin_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Login.Example.com", "https://login.example.com"),
        ("https://login.example.com:443/auth", "https://login.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8628", "http://[::1]:8628"),
        ("https://login.example.com:8443", "https://login.example.com:8443"),
    ],
)
def test_origins_are_written_as_browsers_write_them(url: str, expected: str) -> None:
    assert origin_of(url) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("192.0.2.1", "192.0.2.1"), ("localhost", "localhost"), ("2001:db8::1", "[2001:db8::1]")],
)
def test_an_ipv6_address_stands_in_brackets(host: str, expected: str) -> None:
    assert host_in_url(host) == expected


@pytest.mark.parametrize(
    "host",
    [
        "login.example",
        "login.example.",
        "localhost",
        "127.0.0.1",
        "10.example",
        "1.0x.example",
        "::1",
        "2001:db8::1",
        "2001:db8:0:1:1:1:1:1",
        "::ffff:7f00:1",
    ],
)
def test_a_host_that_browsers_leave_as_it_is(host: str) -> None:
    assert is_written_as_in_browsers(host)


@pytest.mark.parametrize(
    "host",
    [
        "0:0:0:0:0:0:0:1",
        "2001:db8:0::1",
        "2001:db8::1:1:1:1:1",
        "2001:0db8::1",
        "::ffff:127.0.0.1",
        "fe80::1%25eth0",
        "fe80::1%eth0",
        "127.1",
        "127.0.0.1.",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "010.0.0.1",
        "login.example.1",
        "login%2eexample",
        "login..",
        "",
    ],
)
def test_a_host_that_browsers_write_in_another_way_or_refuse(host: str) -> None:
    assert not is_written_as_in_browsers(host)
