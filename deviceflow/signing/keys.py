"""Keys of the JOSE library: made, and imported from JWKs (RFC 7517)."""

from collections.abc import Mapping
from typing import Any

import msgspec
from joserfc.jwk import ECKey, OKPKey, RSAKey

from deviceflow.core.public_key import RSA_BITS, fault
from deviceflow.core.signing_key import SigningKey
from deviceflow.signing.errors import MALFORMED, BadToken

JoseKey = ECKey | OKPKey | RSAKey


def new_key(algorithm: str, now: int) -> SigningKey:
    """Make a private key, at the time `now` (s)."""
    key: JoseKey
    if algorithm == "ES256":
        key = ECKey.generate_key(
            "P-256", {"use": "sig", "alg": algorithm}, private=True, auto_kid=True
        )
    elif algorithm == "Ed25519":
        key = OKPKey.generate_key(
            "Ed25519", {"use": "sig", "alg": algorithm}, private=True, auto_kid=True
        )
    else:
        key = RSAKey.generate_key(
            RSA_BITS, {"use": "sig", "alg": algorithm}, private=True, auto_kid=True
        )
    return SigningKey(jwk=dict(key.as_dict(private=True)), created_at=now)


def is_usable(key: SigningKey) -> bool:
    """Return whether a key of the store is a private key with `kid` and `alg`."""
    try:
        return {"kid", "alg"} <= key.jwk.keys() and import_jwk(key.jwk).is_private
    except BadToken:
        return False


def is_public_jwk(jwk: Mapping[str, Any]) -> bool:
    """Return whether `jwk` is a public key that can verify a signature."""
    try:
        return bool(import_public_jwk(jwk).thumbprint())
    except BadToken:
        return False


def import_public_jwk(jwk: Mapping[str, Any]) -> JoseKey:
    """Import the public key of another party. May raise BadToken: `core.public_key` refuses it."""
    if fault(jwk) is not None:
        raise BadToken
    return import_jwk(jwk)


def import_jwk(jwk: Mapping[str, Any]) -> JoseKey:
    """Import a public or private key. May raise BadToken."""
    try:
        return _import_members(msgspec.json.encode(jwk))
    except (*MALFORMED, KeyError) as error:
        raise BadToken from error


def _import_members(jwk: bytes) -> JoseKey:
    members = msgspec.json.decode(jwk, type=dict[str, Any])
    if members["kty"] == "EC":
        return ECKey.import_key(members)
    if members["kty"] == "OKP":
        return OKPKey.import_key(members)
    return RSAKey.import_key(members)
