"""The rule for public keys of clients (RFC 7517; RFC 7518 section 6).

It holds for every key from a file, a command, a registration, an assertion or a DPoP proof. It
checks the members of the JWK. The JOSE library checks that a point lies on its curve.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from deviceflow.core import base64url

PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
"""The members of a private or symmetric key (RFC 7518 6.2.2, 6.3.2, 6.4)."""

RSA_BITS = 2048
"""The smallest modulus that is allowed (RFC 7518 3.3)."""

MOST_RSA_BITS = 4096
"""The largest modulus. A stranger chooses the key of a DPoP proof, and so what it costs to verify
with it. OpenSSL takes up to 16,384 bits, which cost twenty times as much as 4,096."""

LEAST_EXPONENT, MOST_EXPONENT = 3, 1 << 33
"""The public exponents that are allowed; every common key has 65,537. The cost grows with the
length: an exponent as long as its modulus holds the event loop for 20 ms and more."""

_RSA = ("RS256", "RS384", "RS512", "PS256")


class Curve(NamedTuple):
    """The algorithms of a curve, its coordinates, and the bytes of each coordinate."""

    algorithms: tuple[str, ...]
    coordinates: tuple[str, ...]
    size: int


CURVES = {
    ("EC", "P-256"): Curve(("ES256",), ("x", "y"), 32),
    ("EC", "P-384"): Curve(("ES384",), ("x", "y"), 48),
    ("EC", "P-521"): Curve(("ES512",), ("x", "y"), 66),
    ("OKP", "Ed25519"): Curve(("Ed25519", "EdDSA"), ("x",), 32),
    ("OKP", "Ed448"): Curve(("EdDSA",), ("x",), 57),
}
"""RFC 7518 6.2.1 and RFC 8037 2. A coordinate has its full length, with leading zeros."""

ASYMMETRIC = tuple(
    dict.fromkeys([*(name for curve in CURVES.values() for name in curve.algorithms), *_RSA])
)
"""The algorithms for assertions and proofs: none is symmetric, and `none` is not among them."""


class KeyFault(NamedTuple):
    """What is wrong with a key, and what would be right. Neither text holds a private value."""

    wrong: str
    right: str


def fault(jwk: Mapping[str, Any]) -> KeyFault | None:
    """Return why `jwk` must not be used to check signatures, or None if it may be used."""
    if members := [member for member in PRIVATE_MEMBERS if member in jwk]:
        wrong = f'a private key, for it has "{members[0]}"'
        return KeyFault(wrong, "its public half only; the client keeps the other")
    if jwk.get("kty") == "RSA":
        return _rsa_fault(jwk) or _purpose_fault(jwk, _RSA)
    curve = CURVES.get((str(jwk.get("kty")), str(jwk.get("crv"))))
    if curve is None:
        curves = " or ".join(f"{kty} with crv {crv}" for kty, crv in CURVES)
        return KeyFault("a key of no kty and crv that is known here", f"RSA, or {curves}")
    for name in curve.coordinates:
        if len(_octets(jwk.get(name))) != curve.size:
            return KeyFault(f"a key without a good {name}", f"{curve.size} bytes in base64url")
    return _purpose_fault(jwk, curve.algorithms)


def _rsa_fault(jwk: Mapping[str, Any]) -> KeyFault | None:
    bits = int.from_bytes(_octets(jwk.get("n"))).bit_length()
    if not RSA_BITS <= bits <= MOST_RSA_BITS:
        return KeyFault(
            f"an RSA key of {bits} bits", f"{RSA_BITS} to {MOST_RSA_BITS} (RFC 7518 3.3)"
        )
    exponent = int.from_bytes(_octets(jwk.get("e")))
    if not exponent:
        return KeyFault("an RSA key without e", "n and e")
    if exponent % 2 == 0 or not LEAST_EXPONENT <= exponent <= MOST_EXPONENT:
        return KeyFault("an RSA key with an unusual e", "an odd e from 3 to 2^33; common is 65537")
    return None


def _purpose_fault(jwk: Mapping[str, Any], algorithms: tuple[str, ...]) -> KeyFault | None:
    """Check `use`, `key_ops` and `alg` (RFC 7517 4.2 to 4.4)."""
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list | tuple):
        return KeyFault("a key for another use", 'one that may be used for signatures, "sig"')
    if "verify" not in operations:
        return KeyFault("a key without verify among its key_ops", "one that verifies")
    if jwk.get("alg", algorithms[0]) not in algorithms:
        return KeyFault("a key whose alg it cannot be used with", " or ".join(algorithms))
    return None


def _octets(member: object) -> bytes:
    """Return the bytes of a base64url member (RFC 7515 2), or none if it is malformed."""
    try:
        return base64url.decode(member) if isinstance(member, str) else b""
    except ValueError:
        return b""
