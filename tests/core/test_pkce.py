"""PKCE for the device grant (RFC 7636)."""

import pytest

from deviceflow.core import pkce

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_standards_example() -> None:
    """RFC 7636 appendix B."""
    assert pkce.challenge(VERIFIER) == CHALLENGE
    assert pkce.is_challenge(CHALLENGE)
    assert pkce.proves(VERIFIER, CHALLENGE)


@pytest.mark.parametrize("length", [43, 128])
def test_lengths(length: int) -> None:
    """RFC 7636 4.1."""
    assert pkce.proves("~" * length, pkce.challenge("~" * length))


@pytest.mark.parametrize("text", ["", CHALLENGE[:-1], CHALLENGE + "a", CHALLENGE + "\n", "é" * 43])
def test_no_challenge(text: str) -> None:
    assert not pkce.is_challenge(text)


@pytest.mark.parametrize(
    "bad", ["", "a" * 42, "a" * 129, "a" * 42 + "é", "a" * 43 + "\n", "+" * 43]
)
def test_a_malformed_verifier(bad: str) -> None:
    """A malformed verifier is refused, even if its hash is right."""
    assert not pkce.proves(bad, pkce.challenge(bad))


@pytest.mark.parametrize("other", ["a" * 43, VERIFIER.lower(), CHALLENGE])
def test_another_verifier(other: str) -> None:
    assert not pkce.proves(other, CHALLENGE)
