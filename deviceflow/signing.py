"""Signing tokens. The only importer of the JOSE library.

A key is stored as a private JWK (RFC 7517) whose `kid` is its RFC 7638 thumbprint. The newest
key of the configured algorithm signs; all keys are published, so that what an earlier one
signed can still be verified.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from deviceflow.core.claims import Claims

RSA_BITS = 2048
ALGORITHMS = ("ES256", "Ed25519", "RS256")

_Key = ECKey | OKPKey | RSAKey


def new_key(algorithm: str) -> dict[str, bytes]:
    """A new private key, as its key id and its JWK (JSON)."""
    key: _Key
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
    return {str(key.kid): msgspec.json.encode(key.as_dict(private=True))}


class Signer:
    """Signs with one algorithm, and publishes every key it was given."""

    def __init__(self, keys: Mapping[str, bytes], algorithm: str) -> None:
        self.algorithm = algorithm
        self._keys = {key_id: _import(jwk) for key_id, jwk in keys.items()}
        self._signing_id, self._signing_key = next(
            (key_id, key) for key_id, key in self._keys.items() if key.alg == algorithm
        )

    def sign(self, claims: Claims, token_type: str) -> str:
        """A signed JWT (RFC 7519) of that `typ`."""
        header = {"alg": self.algorithm, "typ": token_type, "kid": self._signing_id}
        return jwt.encode(header, dict(claims), self._signing_key, algorithms=[self.algorithm])

    def jwks(self) -> dict[str, list[Any]]:
        """The public keys (RFC 7517 5); never a private member."""
        return {"keys": [key.as_dict(private=False) for key in self._keys.values()]}


def has_algorithm(keys: Mapping[str, bytes], algorithm: str) -> bool:
    """Whether one of the keys can sign with `algorithm`."""
    return any(_import(jwk).alg == algorithm for jwk in keys.values())


def _import(jwk: bytes) -> _Key:
    members = msgspec.json.decode(jwk, type=dict[str, Any])
    if members["kty"] == "EC":
        return ECKey.import_key(members)
    if members["kty"] == "OKP":
        return OKPKey.import_key(members)
    return RSAKey.import_key(members)
