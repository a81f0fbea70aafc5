"""The addresses that are allowed."""

import pytest

from deviceflow.device.address import split_url
from deviceflow.device.errors import InsecureAddressError


@pytest.mark.parametrize(
    "url",
    ["https://example.com/a", "http://localhost:8628", "http://127.0.0.2", "http://[::1]:1/x"],
)
def test_https_and_this_machine_are_good(url: str) -> None:
    assert split_url(url, "issuer").geturl() == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com", "not encrypted"),
        ("http://127.0.0.1.example.com", "not encrypted"),
        ("http://10.0.0.1", "not encrypted"),
        ("ftp://example.com", "not an address"),
        ("example.com", "not an address"),
        ("https://", "not an address"),
        ("https://[::1", "not an address"),
        ("https://a:99999", "not an address"),
        (f"https://{'a' * 64}.com", "not an address"),
        ("https://me:pw@example.com", "no user name"),
        ("https://example.com/#x", "fragment"),
        ("https://example.com/a b", "space"),
        ("https://example.com/\x1b[2J", "space"),
    ],
)
def test_the_rest_is_refused_in_words(url: str, words: str) -> None:
    """8628-3.1-a."""
    with pytest.raises(InsecureAddressError, match=words) as caught:
        split_url(url, "issuer")
    assert str(caught.value).isprintable()
