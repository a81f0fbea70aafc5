"""How a server that is right, or wrong in one way, reads DPoP proofs (RFC 9449 4.3)."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from deviceflow.core import base64url

NONCE = "the-only-nonce"
WINDOW_S = 300


class WrongProof(Exception):  # noqa: N818, it is an answer
    """A proof is refused, with this error code."""


class ProofReader:
    """Reads proofs. `has` tells what is wrong with it."""

    def __init__(self, has: Callable[[str], bool], *, wants_nonce: bool) -> None:
        self.has = has
        self.wants_nonce = wants_nonce
        self.used: set[str] = set()

    def jkt(self, proofs: Sequence[str], method: str, url: str, access_token: str = "") -> str:
        """Return the thumbprint of the proof's key, "" without a proof. Raises WrongProof."""
        if not proofs:
            return ""
        self._require(len(proofs) == 1 or self.has("two proofs"))
        header, claims = (_members(part) for part in proofs[0].split(".")[:2])
        if self.wants_nonce and not (claims.get("nonce") and self.has("any nonce")):
            self._require(claims.get("nonce") == NONCE, "use_dpop_nonce")
        self._require(header.get("typ") == "dpop+jwt")
        self._check_signature(header, proofs[0])
        self._check_claims(claims)
        if not self.has("proofs for any request"):
            self._require((claims["htm"], claims["htu"]) == (method, url))
        if access_token:
            self._require(claims.get("ath") == base64url.sha256_digest(access_token))
        jwk = json.dumps(header["jwk"], sort_keys=True, separators=(",", ":"))
        return base64url.sha256_digest(jwk)

    def _check_claims(self, claims: dict[str, Any]) -> None:
        needed = {"jti", "htm", "htu", "iat"}
        if self.has("proofs without jti"):
            needed.discard("jti")
        self._require(needed <= {*claims})
        is_new = abs(time.time() - claims["iat"]) < WINDOW_S
        self._require(is_new or self.has("old proofs"))
        jti = str(claims.get("jti"))
        self._require(jti not in self.used or self.has("proofs used twice"))
        self.used.add(jti)

    def _check_signature(self, header: dict[str, Any], proof: str) -> None:
        if self.has("proofs of any signature"):
            return
        jwk = header["jwk"]
        self._require(header.get("alg") == "ES256" and "d" not in jwk)
        x, y = (int.from_bytes(base64url.decode(jwk[name]), "big") for name in "xy")
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        signed, _, signature = proof.rpartition(".")
        raw = base64url.decode(signature)
        r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
        try:
            key.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256()))
        except InvalidSignature:
            self._require(is_kept=False)

    def _require(self, is_kept: bool, code: str = "invalid_dpop_proof") -> None:  # noqa: FBT001
        if not is_kept:
            is_wrong = self.has("another word for a wrong proof")
            raise WrongProof("invalid_request" if is_wrong else code)


def _members(part: str) -> dict[str, Any]:
    found = json.loads(base64url.decode(part))
    assert isinstance(found, dict)
    return found
