"""The signature of a JWT that anybody may have sent (RFC 7515, RFC 7519).

Tokens are short: a longer one is refused before it is decoded.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from joserfc import jws, jwt

from deviceflow.core.public_key import ASYMMETRIC
from deviceflow.signing.errors import MALFORMED, BadToken
from deviceflow.signing.keys import JoseKey

MAX_HEADER = 2048
"""The longest header, in bytes."""

MAX_CLAIMS = 8192
"""The longest payload, in bytes, unless the caller allows more."""


class VerifiedToken(NamedTuple):
    """A JWT whose signature is good."""

    header: dict[str, Any]
    claims: dict[str, Any]


def read_unverified(token: str, max_claims: int = MAX_CLAIMS) -> jws.CompactSignature:
    """Read a token whose signature is not checked. May raise one of MALFORMED."""
    return jws.extract_compact(token.encode(), registry=_registry(ASYMMETRIC, max_claims))


def read_header(token: str, max_claims: int = MAX_CLAIMS) -> dict[str, Any]:
    """Return the header of a token whose signature is not checked. May raise BadToken."""
    try:
        return dict(read_unverified(token, max_claims).headers())
    except MALFORMED as error:
        raise BadToken from error


def verify_signature(
    token: str, key: JoseKey, algorithms: tuple[str, ...], max_claims: int = MAX_CLAIMS
) -> VerifiedToken:
    """Verify a token with one key, which may use one of `algorithms`. May raise BadToken."""
    try:
        with _without_warnings() if "EdDSA" in algorithms else nullcontext():
            decoded = jwt.decode(token, key, registry=_registry(algorithms, max_claims))
    except (*MALFORMED, KeyError) as error:
        raise BadToken from error
    return VerifiedToken(dict(decoded.header), dict(decoded.claims))


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress the library's warning of the name EdDSA, which RFC 9864 replaces.

    Clients may use it. It takes longer than a signature, so it is for that name only.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _registry(algorithms: tuple[str, ...], max_claims: int = MAX_CLAIMS) -> jws.JWSRegistry:
    registry = jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)
    registry.max_header_length = MAX_HEADER
    registry.max_payload_length = max_claims
    return registry
