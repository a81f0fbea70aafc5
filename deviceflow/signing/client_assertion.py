"""Client assertions (RFC 7523 2.2): those of this server's clients, and that of the server itself.

The server is a client, too: of the providers at which people sign in.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from deviceflow.core.public_key import ASYMMETRIC, CURVES
from deviceflow.signing.errors import MALFORMED, BadToken
from deviceflow.signing.keys import JoseKey, import_jwk, import_public_jwk
from deviceflow.signing.verification import (
    VerifiedToken,
    read_header,
    read_unverified,
    verify_signature,
)


def unverified_subject(token: str) -> str:
    """Return the `sub` of a JWT whose signature is not checked yet, or an empty text."""
    try:
        claims = msgspec.json.decode(read_unverified(token).payload)
    except MALFORMED:
        return ""
    subject = claims.get("sub") if isinstance(claims, dict) else None
    return subject if isinstance(subject, str) else ""


def verify_with(token: str, jwks: Iterable[Mapping[str, Any]]) -> VerifiedToken:
    """Verify a token that a client signed with any of its keys (RFC 7523). May raise BadToken."""
    header = read_header(token)
    for jwk in jwks:
        if "kid" in header and jwk.get("kid", header["kid"]) != header["kid"]:
            continue
        try:
            return verify_signature(token, import_public_jwk(jwk), ASYMMETRIC)
        except BadToken:
            continue
    raise BadToken


def sign_with(key: bytes, claims: Mapping[str, Any], key_id: str | None) -> str:
    """Sign a client assertion of this server with `key`, a private JWK or PEM (RFC 7523 2.2).

    `key_id`: None for that of the key, or its thumbprint. May raise BadToken: no usable key.
    """
    private = _import_private(key)
    algorithm = str(private.get("alg") or _usual_algorithm(private))
    header = {"alg": algorithm, "typ": "JWT", "kid": key_id or private.kid or private.thumbprint()}
    try:
        return jwt.encode(header, dict(claims), private, algorithms=[algorithm])
    except MALFORMED as error:
        raise BadToken from error


@lru_cache(maxsize=8)
def _import_private(key: bytes) -> JoseKey:
    """Import a private key, once for each content: for RSA it takes milliseconds."""
    text: bytes | dict[str, Any] = key
    if key.lstrip().startswith(b"{"):
        return _must_be_private(import_jwk(_json_object(key)))
    for kind in (ECKey, OKPKey, RSAKey):
        try:
            return _must_be_private(kind.import_key(text))
        except (*MALFORMED, KeyError):
            continue
    raise BadToken


def _must_be_private(key: JoseKey) -> JoseKey:
    if not key.is_private:
        raise BadToken
    return key


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadToken from error


def _usual_algorithm(key: JoseKey) -> str:
    if isinstance(key, RSAKey):
        return "RS256"
    curve = str(key.as_dict(private=False)["crv"])
    return CURVES[key.key_type, curve].algorithms[0]
