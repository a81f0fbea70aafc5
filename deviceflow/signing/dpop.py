"""The signature of DPoP proofs (RFC 9449); `core/dpop.py` has the other rules."""

import json

from deviceflow.core.dpop import Proof, ProofError
from deviceflow.core.public_key import ASYMMETRIC, PRIVATE_MEMBERS
from deviceflow.signing.errors import MALFORMED, BadToken
from deviceflow.signing.keys import import_public_jwk
from deviceflow.signing.verification import read_header, read_unverified, verify_signature

DPOP_TYPE = "dpop+jwt"


def unverified_proof(token: str) -> Proof:
    """Read the claims of a DPoP proof whose signature is not checked yet: `jkt` is empty.

    May raise ProofError.
    """
    try:
        # As the JOSE library reads it, so that both see the same claims.
        claims = json.loads(read_unverified(token).payload)
    except MALFORMED:
        raise ProofError("This is not a DPoP proof.") from None
    if not isinstance(claims, dict):
        raise ProofError("This is not a DPoP proof.")
    return Proof("", claims)


def read_proof(token: str) -> Proof:
    """Read a DPoP proof and check its signature with the key in its header (RFC 9449 4.2, 4.3).

    May raise ProofError.
    """
    try:
        header = read_header(token)
        jwk = header.get("jwk")
        if header.get("typ") != DPOP_TYPE or not isinstance(jwk, dict):
            raise ProofError("This is not a DPoP proof.")
        if not jwk.keys().isdisjoint(PRIVATE_MEMBERS):
            raise ProofError("The DPoP proof carries a private key.")
        key = import_public_jwk(jwk)
        return Proof(key.thumbprint(), verify_signature(token, key, ASYMMETRIC).claims)
    except BadToken:
        raise ProofError("The DPoP proof is not signed as it should be.") from None
