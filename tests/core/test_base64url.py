"""base64url without padding."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core import base64url


@given(st.binary(max_size=100))
def test_what_is_written_can_be_read(data: bytes) -> None:
    text = base64url.encode(data)
    assert "=" not in text
    assert base64url.decode(text) == data


@pytest.mark.parametrize("text", ["A", "AAAAA", "AA==", "A+", "A/", "ä", "A A", "AA\n"])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not base64url"):
        base64url.decode(text)


def test_a_digest_is_the_one_of_the_standard() -> None:
    """RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert base64url.sha256_digest(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert base64url.decode(base64url.sha256_digest(verifier)) == sha256(verifier.encode()).digest()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a" * 43, True), ("a" * 42, False), ("a" * 44, False), ("=" * 43, False), ("", False)],
)
def test_the_shape_of_a_digest(text: str, *, expected: bool) -> None:
    assert base64url.is_digest(text) is expected
