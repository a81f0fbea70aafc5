"""The names by which the console may be reached."""

import pytest

from deviceflow.admin.host_check import is_own_host

NAMES = {"ops.example.com"}


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:8629",
        "a.localhost",
        "127.0.0.1",
        "10.0.0.1:8629",
        "[::1]",
        "[2001:db8::1]:8629",
        "ops.example.com",
        "OPS.example.com:443",
    ],
)
def test_ours(host: str) -> None:
    assert is_own_host(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil",
        "xlocalhost",
        "ops.example.com.evil",
        "127.0.0.1.evil",
        "0x7f.1",
        "ops.example.com:x",
        "1.2.3",
    ],
)
def test_not_ours(host: str) -> None:
    assert not is_own_host(host, NAMES)
