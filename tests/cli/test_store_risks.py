"""What is risky about the way to the store."""

import pytest

from deviceflow.cli.store_risks import store_risks

TLS, NAME, PASSWORD = "without TLS", "ssl_check_hostname=false", "no password"
SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, []),
        ("unix:///run/valkey.sock", []),
        ("redis://127.0.0.1:6379/0", []),
        ("redis://[::1]:6379", []),
        ("redis+sentinel://localhost:26379,127.0.0.1:26379/primary", []),
        ("redis://redis.example.com", [TLS, PASSWORD]),
        (f"redis://:{SECRET}@redis.example.com", [TLS]),
        (f"redis://df:{SECRET}@10.0.0.5:6379/1", [TLS]),
        (f"redis+sentinel://df:{SECRET}@127.0.0.1:26379,10.0.0.6:26379/primary", [TLS]),
        ("rediss://redis.example.com", [PASSWORD]),
        (f"rediss://df:{SECRET}@redis.example.com", []),
        ("rediss://redis.example.com?ssl_certfile=/etc/c.pem&ssl_keyfile=/etc/k.pem", []),
        (f"rediss+cluster://df:{SECRET}@10.0.0.5,10.0.0.6?ssl_check_hostname=false", [NAME]),
    ],
)
def test_a_network_in_between(url: str | None, expected: list[str]) -> None:
    lines = list(store_risks(url))
    assert len(lines) == len(expected)
    assert all(text in line for text, line in zip(expected, lines, strict=True))
    assert all(line.startswith("redis.url: ") and SECRET not in line for line in lines)
