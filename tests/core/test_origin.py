"""Origins in normal form."""

import pytest

from deviceflow.core.origin import host_in_url, origin_of


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
