"""The claims of a DPoP proof (RFC 9449 4.3)."""

from typing import Any

import pytest

from deviceflow.core import dpop
from deviceflow.core.dpop import NonceError, Proof, ProofError, ProofRequirements

NOW = 1_793_887_400.5
URL = "https://auth.example.com/oauth2/token"
KEY = b"k" * 32
GOOD = {"jti": "one", "htm": "POST", "htu": URL, "iat": int(NOW)}


def check(expected: ProofRequirements | None = None, **claims: Any) -> str:  # noqa: ANN401, as in JSON
    content = {name: value for name, value in (GOOD | claims).items() if value is not None}
    return dpop.check_proof(Proof("jkt", content), expected or ProofRequirements("POST", URL))


def test_good() -> None:
    assert check() == "one"


@pytest.mark.parametrize(
    "htu",
    [
        "HTTPS://AUTH.example.COM/oauth2/token",
        "https://auth.example.com:443/oauth2/token",
        "https://auth.example.com/oauth2/token?a=b#c",
    ],
)
def test_the_address_is_normalised(htu: str) -> None:
    """9449-4.3-a: case, default port, query and fragment do not count."""
    assert check(htu=htu) == "one"


@pytest.mark.parametrize("iat", [0, int(NOW) - 600, NOW, int(NOW) + 10, 4_000_000_000, 10**400])
def test_the_clock_of_the_device_does_not_count(iat: float) -> None:
    """9449-4.3-a, 9449-11.1-a: the server's own nonce says when the proof was made."""
    assert check(iat=iat) == "one"


@pytest.mark.parametrize(
    "claims",
    [
        {"jti": None},
        {"jti": ""},
        {"jti": 1},
        {"htm": None},
        {"htm": "GET"},
        {"htm": "post"},
        {"htu": None},
        {"htu": 1},
        {"htu": "https://auth.example.com/oauth2/token/"},
        {"htu": "https://auth.example.com/OAUTH2/token"},
        {"htu": "http://auth.example.com/oauth2/token"},
        {"htu": "https://auth.example.com:8443/oauth2/token"},
        {"htu": "https://auth.example.com:x/oauth2/token"},
        {"htu": "https://[auth/oauth2/token"},
        {"htu": "https://evil.example.com/oauth2/token"},
        {"htu": "/oauth2/token"},
        {"iat": None},
        {"iat": str(int(NOW))},
    ],
)
def test_not_for_this_request(claims: dict[str, Any]) -> None:
    """9449-4.3-a, 9449-11.1-a: htm, htu, and an iat that is a number."""
    with pytest.raises(ProofError):
        check(**claims)


@pytest.mark.parametrize("ath", [None, "", "token", dpop.token_hash("another")])
def test_for_another_token(ath: str | None) -> None:
    """9449-4.3-a: ath."""
    with pytest.raises(ProofError):
        check(ProofRequirements("POST", URL, "token"), ath=ath)


def test_for_this_token() -> None:
    """9449-4.3-a: the hash of RFC 9449's own example (section 7.1)."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    ath = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    assert check(ProofRequirements("POST", URL, token), ath=ath) == "one"


def test_an_ipv6_issuer() -> None:
    expected = ProofRequirements("POST", "http://[::1]:8628/oauth2/token")
    assert check(expected, htu="http://[::1]:8628/oauth2/token") == "one"


def test_nonces() -> None:
    """9449-8-a: the current nonce and the one before, and only of this installation."""
    now = dpop.nonce(KEY, NOW)
    assert len(now) >= 22
    assert dpop.nonce(KEY, NOW + dpop.NONCE_STEP_S) != now
    assert dpop.nonce(b"x" * 32, NOW) != now
    for later in (0, dpop.NONCE_STEP_S):
        dpop.check_nonce(Proof("jkt", {"nonce": now}), (KEY,), NOW + later)
    with pytest.raises(NonceError):
        dpop.check_nonce(Proof("jkt", {"nonce": now}), (KEY,), NOW + 2 * dpop.NONCE_STEP_S)


@pytest.mark.parametrize("nonce", ["", "guess", None, 1, [], "\ud800"])
def test_other_nonces(nonce: object) -> None:
    """9449-8-a."""
    with pytest.raises(NonceError):
        dpop.check_nonce(Proof("jkt", {"nonce": nonce}), (KEY,), NOW)


def test_no_nonce() -> None:
    """9449-8-a."""
    with pytest.raises(NonceError):
        dpop.check_nonce(Proof("jkt", {}), (KEY,), NOW)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("A" * 43, True), ("A" * 42, False), ("A" * 44, False), ("A" * 42 + "=", False), ("", False)],
)
def test_thumbprints(text: str, is_one: bool) -> None:  # noqa: FBT001, the expectation
    assert dpop.is_thumbprint(text) is is_one
