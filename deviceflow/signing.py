"""Signing and verifying. Only this module imports the JOSE library.

A key is stored as a private JWK (RFC 7517) whose `kid` is its RFC 7638 thumbprint. The newest
key of the configured algorithm signs. All keys are published, so that tokens of an earlier key
can still be verified.
"""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from deviceflow.core import base64url
from deviceflow.core.clock import Clock
from deviceflow.core.dpop import Proof, ProofError
from deviceflow.core.errors import temporarily_unavailable
from deviceflow.core.public_key import ASYMMETRIC, CURVES, PRIVATE_MEMBERS, RSA_BITS, fault
from deviceflow.core.signing_key import SigningKey, age

MAX_HEADER = 2048
MAX_CLAIMS = 8192
MAX_PROVIDER_CLAIMS = 65_536
"""The longest payload of an upstream provider's token, in bytes: some list hundreds of groups."""

DPOP_TYPE = "dpop+jwt"

# The errors of parsing. JSON that is nested too deeply is a RecursionError.
_BAD_JSON = (JoseError, ValueError, TypeError, RecursionError)

_Key = ECKey | OKPKey | RSAKey


class VerifiedToken(NamedTuple):
    """A JWT whose signature is good."""

    header: dict[str, Any]
    claims: dict[str, Any]


class BadToken(Exception):  # noqa: N818, it describes the token
    """The token is not a JWT, or no accepted key signed it."""


def new_key(algorithm: str, now: int) -> SigningKey:
    """Make a private key, at the time `now` (s)."""
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
    return SigningKey(jwk=dict(key.as_dict(private=True)), created_at=now)


class Signer:
    """The server's keys: the newest key of an algorithm signs, and all keys verify.

    `algorithm`: what signs unless a client has another one.

    A superseded key is neither published nor accepted after its expiry.
    """

    def __init__(
        self,
        keys: Iterable[SigningKey],
        algorithm: str,
        clock: Clock,
    ) -> None:
        self.algorithm = algorithm
        self._clock = clock
        self._keys: dict[str, _Key] = {}
        self.adopt(keys)

    def adopt(self, keys: Iterable[SigningKey]) -> None:
        """Use `keys` from now on, as the store has them."""
        stored = sorted(keys, key=age)
        # Importing an RSA key is slow and blocks the event loop, so keep the keys that are
        # already imported. An id is a thumbprint: the same id is the same key.
        self._keys = {
            key.key_id: self._keys.get(key.key_id) or _import_jwk(key.jwk) for key in stored
        }
        self._stored = {key.key_id: key for key in stored}
        signing = [key for key in stored if key.algorithm == self.algorithm]
        self._signing_id = signing[-1].key_id if signing else ""

    @property
    def signing_key(self) -> SigningKey:
        """The key that signs. May raise OAuthError: the keys could not be read yet."""
        self._need_keys()
        return self._stored[self._signing_id]

    def _need_keys(self) -> None:
        # A server that started without its store. An empty answer would be a wrong one: an API
        # would keep it, and refuse every token.
        if not self._keys:
            raise temporarily_unavailable()

    @property
    def known(self) -> Mapping[str, SigningKey]:
        """The keys by their ids, as the store has them."""
        return self._stored

    def sign(self, claims: Mapping[str, Any], token_type: str, algorithm: str | None = None) -> str:
        """Return a signed JWT (RFC 7519). `token_type`: its `typ`.

        May raise OAuthError, if there is no key of that algorithm yet: it is made within a second
        after the first client has asked for it (`reload.py`).
        """
        key = self.key_for(algorithm or self.algorithm)
        if key is None:
            raise temporarily_unavailable(retry_after=1)
        signed = _encoded_header(key.algorithm, token_type, key.key_id)
        signed += b"." + base64url.encode(msgspec.json.encode(claims)).encode()
        # `jwt.encode` takes twice as long: it checks the header and the key each time.
        algorithm_model = jws.JWSRegistry.algorithms[key.algorithm]
        signature = algorithm_model.sign(signed, self._keys[key.key_id])
        return f"{signed.decode()}.{base64url.encode(signature)}"

    def key_for(self, algorithm: str) -> SigningKey | None:
        """Return the key that signs with `algorithm`; None if there is none that verifiers know.

        A key that was just superseded signs until its successor is here (`LATE_S`).
        """
        found = [
            key
            for key_id, key in self._stored.items()
            if key.algorithm == algorithm and self._is_live(key_id)
        ]
        return found[-1] if found else None

    def verify(self, token: str) -> VerifiedToken:
        """Verify a token of this server. May raise BadToken, or OAuthError without keys."""
        self._need_keys()
        header = _header(token)
        key_id = str(header.get("kid"))
        key = self._keys.get(key_id)
        if key is None or not self._is_live(key_id):
            raise BadToken
        return _verify(token, key, (str(key.alg),))

    def jwks(self) -> dict[str, list[Any]]:
        """Return the public keys (RFC 7517 5), without private members.

        May raise OAuthError: the keys could not be read yet.
        """
        self._need_keys()
        live = [key for key_id, key in self._keys.items() if self._is_live(key_id)]
        return {"keys": [key.as_dict(private=False) for key in live]}

    def _is_live(self, key_id: str) -> bool:
        # The signing key may have an expiry, for example if its successor was withdrawn. Until
        # there is a new key, its tokens must verify.
        return key_id == self._signing_id or self._stored[key_id].is_live(self._clock())


@lru_cache(maxsize=64)
def _encoded_header(algorithm: str, token_type: str, key_id: str) -> bytes:
    """Return the header of a JWT as it is signed (RFC 7515 7.1)."""
    header = {"alg": algorithm, "typ": token_type, "kid": key_id}
    return base64url.encode(msgspec.json.encode(header)).encode()


def verify_with(token: str, jwks: Iterable[Mapping[str, Any]]) -> VerifiedToken:
    """Verify a token that a client signed with any of its keys (RFC 7523). May raise BadToken."""
    header = _header(token)
    for jwk in jwks:
        if "kid" in header and jwk.get("kid", header["kid"]) != header["kid"]:
            continue
        try:
            return _verify(token, _import_public(jwk), ASYMMETRIC)
        except BadToken:
            continue
    raise BadToken


def unverified_header(token: str) -> dict[str, Any]:
    """Return the header of a provider's token whose signature is not checked yet.

    May raise BadToken.
    """
    try:
        registry = _registry(ASYMMETRIC, MAX_PROVIDER_CLAIMS)
        return dict(jws.extract_compact(token.encode(), registry=registry).headers())
    except _BAD_JSON as error:
        raise BadToken from error


def verify_of_provider(
    token: str, jwks: Iterable[Mapping[str, Any]], algorithm: str
) -> VerifiedToken:
    """Verify a token that an upstream provider signed with any of `jwks`. May raise BadToken."""
    for jwk in jwks:
        try:
            return _verify(token, _import_public(jwk), (algorithm,), MAX_PROVIDER_CLAIMS)
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
    except _BAD_JSON as error:
        raise BadToken from error


@lru_cache(maxsize=8)
def _import_private(key: bytes) -> _Key:
    """Import a private key, once for each content: for RSA it takes milliseconds."""
    text: bytes | dict[str, Any] = key
    if key.lstrip().startswith(b"{"):
        return _must_be_private(_import_jwk(_json_object(key)))
    for kind in (ECKey, OKPKey, RSAKey):
        try:
            return _must_be_private(kind.import_key(text))
        except (*_BAD_JSON, KeyError):
            continue
    raise BadToken


def _must_be_private(key: _Key) -> _Key:
    if not key.is_private:
        raise BadToken
    return key


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadToken from error


def _usual_algorithm(key: _Key) -> str:
    if isinstance(key, RSAKey):
        return "RS256"
    curve = str(key.as_dict(private=False)["crv"])
    return CURVES[key.key_type, curve].algorithms[0]


def unverified_subject(token: str) -> str:
    """Return the `sub` of a JWT whose signature is not checked yet, or an empty text."""
    try:
        payload = jws.extract_compact(token.encode(), registry=_registry(ASYMMETRIC)).payload
        claims = msgspec.json.decode(payload)
    except _BAD_JSON:
        return ""
    subject = claims.get("sub") if isinstance(claims, dict) else None
    return subject if isinstance(subject, str) else ""


def unverified_proof(token: str) -> Proof:
    """Read the claims of a DPoP proof whose signature is not checked yet: `jkt` is empty.

    May raise ProofError.
    """
    try:
        content = jws.extract_compact(token.encode(), registry=_registry(ASYMMETRIC))
        # As the JOSE library reads it, so that both see the same claims.
        claims = json.loads(content.payload)
    except _BAD_JSON:
        raise ProofError("This is not a DPoP proof.") from None
    if not isinstance(claims, dict):
        raise ProofError("This is not a DPoP proof.")
    return Proof("", claims)


def read_proof(token: str) -> Proof:
    """Read a DPoP proof and check its signature with the key in its header (RFC 9449 4.2, 4.3).

    May raise ProofError.
    """
    try:
        header = _header(token)
        jwk = header.get("jwk")
        if header.get("typ") != DPOP_TYPE or not isinstance(jwk, dict):
            raise ProofError("This is not a DPoP proof.")
        if not jwk.keys().isdisjoint(PRIVATE_MEMBERS):
            raise ProofError("The DPoP proof carries a private key.")
        key = _import_public(jwk)
        return Proof(key.thumbprint(), _verify(token, key, ASYMMETRIC).claims)
    except BadToken:
        raise ProofError("The DPoP proof is not signed as it should be.") from None


def is_usable(key: SigningKey) -> bool:
    """Return whether a key of the store is a private key with `kid` and `alg`."""
    try:
        return {"kid", "alg"} <= key.jwk.keys() and _import_jwk(key.jwk).is_private
    except BadToken:
        return False


def is_public_jwk(jwk: Mapping[str, Any]) -> bool:
    """Return whether `jwk` is a public key that can verify a signature."""
    try:
        return bool(_import_public(jwk).thumbprint())
    except BadToken:
        return False


def _header(token: str) -> dict[str, Any]:
    try:
        return dict(jws.extract_compact(token.encode(), registry=_registry(ASYMMETRIC)).headers())
    except _BAD_JSON as error:
        raise BadToken from error


def _verify(
    token: str, key: _Key, algorithms: tuple[str, ...], max_claims: int = MAX_CLAIMS
) -> VerifiedToken:
    try:
        with _without_warnings() if "EdDSA" in algorithms else nullcontext():
            decoded = jwt.decode(token, key, registry=_registry(algorithms, max_claims))
    except (*_BAD_JSON, KeyError) as error:
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


def _import_public(jwk: Mapping[str, Any]) -> _Key:
    """Import a client's key, if `core.public_key.fault` finds nothing wrong with it."""
    if fault(jwk) is not None:
        raise BadToken
    return _import_jwk(jwk)


def _import_jwk(jwk: Mapping[str, Any]) -> _Key:
    try:
        return _import(msgspec.json.encode(jwk))
    except (*_BAD_JSON, KeyError) as error:
        raise BadToken from error


def _import(jwk: bytes) -> _Key:
    members = msgspec.json.decode(jwk, type=dict[str, Any])
    if members["kty"] == "EC":
        return ECKey.import_key(members)
    if members["kty"] == "OKP":
        return OKPKey.import_key(members)
    return RSAKey.import_key(members)
