"""Envelope keys as text."""

from base64 import b64encode, urlsafe_b64encode

import pytest

from deviceflow.core.envelope_key import read_envelope_key, read_envelope_keys

KEY = bytes(range(224, 256))


@pytest.mark.parametrize(
    "text",
    [
        b64encode(KEY).decode(),
        b64encode(KEY).decode().rstrip("="),
        urlsafe_b64encode(KEY).decode(),
        KEY.hex(),
        KEY.hex().upper(),
    ],
)
def test_a_key_in_each_form(text: str) -> None:
    assert read_envelope_key(text) == KEY


@pytest.mark.parametrize(
    "text", ["", "secret", KEY.hex()[:-1], b64encode(KEY[1:]).decode(), "é" * 43, " " * 44]
)
def test_what_is_no_key(text: str) -> None:
    assert read_envelope_key(text) is None


def test_the_lines_of_a_source() -> None:
    text = f"# the next one\n{KEY.hex()}\n\n  {b64encode(bytes(32)).decode()}  \r\n"
    assert read_envelope_keys(text) == [KEY, bytes(32)]
    assert read_envelope_keys("# none\n") == []
    assert read_envelope_keys(f"{KEY.hex()}\nsecret\n") is None
