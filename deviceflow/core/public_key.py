"""Public keys of others, as they say them (RFC 7517, RFC 7518 6): which of them can be of use.

The one rule for a key that a file, a command, a registration, a client assertion or a DPoP
proof brings. It looks at what a key says of itself; whether a point lies on its curve is the
JOSE library's to tell.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from deviceflow.core import base64url

PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
"""RFC 7518 6.2.2, 6.3.2, 6.4: what a JWK has that its owner alone may know."""

RSA_BITS = 2048
"""RFC 7518 3.3: the least length of a modulus."""

MOST_RSA_BITS = 16_384
"""OpenSSL verifies nothing with a longer one."""

_RSA = ("RS256", "RS384", "RS512", "PS256")


class Curve(NamedTuple):
    """What keys of one curve are for, and the bytes that each coordinate has."""

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
"""RFC 7518 6.2.1 and RFC 8037 2: a coordinate has all its bytes, the leading zeros too."""

ASYMMETRIC = tuple(
    dict.fromkeys([*(name for kind in CURVES.values() for name in kind.algorithms), *_RSA])
)
"""What assertions and proofs may be signed with: nothing symmetric, and never `none`."""


class KeyFault(NamedTuple):
    """What is wrong with a key, and what would be right; neither has a private value in it."""

    wrong: str
    right: str


def fault(jwk: Mapping[str, Any]) -> KeyFault | None:
    """Tell why no signature may be checked with `jwk`; None where nothing speaks against it."""
    if members := [member for member in PRIVATE_MEMBERS if member in jwk]:
        wrong = f'a private key, for it has "{members[0]}"'
        return KeyFault(wrong, "its public half only; the client keeps the other")
    if jwk.get("kty") == "RSA":
        return _rsa_fault(jwk) or _purpose_fault(jwk, _RSA)
    kind = CURVES.get((str(jwk.get("kty")), str(jwk.get("crv"))))
    if kind is None:
        curves = " or ".join(f"{kty} with crv {crv}" for kty, crv in CURVES)
        return KeyFault("a key of no kty and crv that is known here", f"RSA, or {curves}")
    for name in kind.coordinates:
        if len(_octets(jwk.get(name))) != kind.size:
            return KeyFault(f"a key without a good {name}", f"{kind.size} bytes in base64url")
    return _purpose_fault(jwk, kind.algorithms)


def _rsa_fault(jwk: Mapping[str, Any]) -> KeyFault | None:
    bits = int.from_bytes(_octets(jwk.get("n"))).bit_length()
    if not RSA_BITS <= bits <= MOST_RSA_BITS:
        return KeyFault(
            f"an RSA key of {bits} bits", f"{RSA_BITS} to {MOST_RSA_BITS} (RFC 7518 3.3)"
        )
    return None if _octets(jwk.get("e")) else KeyFault("an RSA key without e", "n and e")


def _purpose_fault(jwk: Mapping[str, Any], algorithms: tuple[str, ...]) -> KeyFault | None:
    """RFC 7517 4.2 to 4.4: what a key says that it is for."""
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list | tuple):
        return KeyFault("a key for another use", 'one that may be used for signatures, "sig"')
    if "verify" not in operations:
        return KeyFault("a key without verify among its key_ops", "one that verifies")
    if jwk.get("alg", algorithms[0]) not in algorithms:
        return KeyFault("a key whose alg it cannot be used with", " or ".join(algorithms))
    return None


def _octets(member: object) -> bytes:
    """Return the bytes of a base64url member (RFC 7515 2), empty if it is not one."""
    try:
        return base64url.decode(member) if isinstance(member, str) else b""
    except ValueError:
        return b""
