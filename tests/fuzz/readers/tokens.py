"""Readers of what is signed: assertions, proofs, tokens of providers, and the keys for them."""

import json
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from deviceflow.config import Settings
from deviceflow.core import base64url, dpop
from deviceflow.core.assertion import Assertion, read_assertion
from deviceflow.core.claims import ACCESS_TOKEN_TYPE
from deviceflow.core.errors import OAuthError
from deviceflow.core.messages import RegistrationRequest
from deviceflow.core.provider_tokens import (
    ExpectedToken,
    TokenError,
    auth_time_of,
    check_access_token_hash,
    check_id_token,
    context_of,
    methods_of,
    read_logout_token,
)
from deviceflow.core.public_key import fault
from deviceflow.core.signing_key import SigningKey
from deviceflow.core.upstream_person import (
    Admission,
    ClaimMap,
    UpstreamSubject,
    account_names,
    read_person,
    why_not_admitted,
)
from deviceflow.oauth.clients.client_metadata import apply_metadata
from deviceflow.signing.client_assertion import unverified_subject, verify_with
from deviceflow.signing.dpop import read_proof, unverified_proof
from deviceflow.signing.errors import BadToken
from deviceflow.signing.keys import is_public_jwk
from deviceflow.signing.provider_tokens import unverified_header, verify_of_provider
from deviceflow.signing.signer import Signer
from deviceflow.upstream.errors import UpstreamError
from deviceflow.upstream.metadata import read_metadata
from tests.fuzz.readers.wire import NOW, text
from tests.fuzz.target import Target

ISSUER = "https://id.example.com"
_SECRET = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
# Its signatures are always the same, and so are the examples of each run.
PRIVATE_JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "alg": "Ed25519",
    "kid": "k1",
    "x": base64url.encode(_SECRET.public_key().public_bytes_raw()),
    "d": base64url.encode(b"s" * 32),
}
JWK = {name: value for name, value in PRIVATE_JWK.items() if name != "d"}
_KEY = OKPKey.import_key(dict(PRIVATE_JWK))
_SIGNER = Signer([SigningKey(jwk=dict(PRIVATE_JWK), created_at=1)], "Ed25519", lambda: NOW)
_NONCE_KEY = b"n" * 32
_NOW = int(NOW)


def signed(header: bytes, payload: bytes) -> str:
    """A JWT with these very bytes in it, and a good signature."""
    text = f"{base64url.encode(header)}.{base64url.encode(payload)}"
    return f"{text}.{base64url.encode(_SECRET.sign(text.encode()))}"


def _json(members: dict[str, Any]) -> bytes:
    return json.dumps(members).encode()


ASSERTION = {
    "iss": "tv-app",
    "sub": "tv-app",
    "aud": ISSUER,
    "jti": "1",
    "exp": _NOW + 60,
    "nbf": _NOW,
}
PROOF = {
    "jti": "1",
    "iat": _NOW,
    "htm": "POST",
    "htu": f"{ISSUER}/oauth2/token",
    "nonce": dpop.nonce(_NONCE_KEY, NOW),
    "ath": dpop.token_hash("token"),
}
ID_TOKEN = {
    "iss": ISSUER,
    "aud": ["df", "x"],
    "azp": "df",
    "sub": "248289761001",
    "exp": _NOW + 300,
    "iat": _NOW,
    "nonce": "n-0S6",
    "auth_time": _NOW,
    "acr": "urn:mfa",
    "amr": ["pwd", "otp"],
    "preferred_username": "Ada",
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "email_verified": True,
    "groups": ["staff"],
}
LOGOUT = {
    "iss": ISSUER,
    "aud": "df",
    "iat": _NOW,
    "exp": _NOW + 60,
    "jti": "2",
    "sid": "s",
    "sub": "248289761001",
    "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
}
_PROOF_HEADER = _json({"typ": "dpop+jwt", "alg": "Ed25519", "jwk": JWK})
_HEADER = _json({"alg": "Ed25519", "typ": ACCESS_TOKEN_TYPE, "kid": "k1"})


def read_jwt(data: bytes) -> None:
    """A token is good for all who verify it, or for none; and then its subject can be read."""
    token = text(data)
    subject = unverified_subject(token)
    outcomes = [_verified(each, token) for each in (_SIGNER.verify, _of_client, _of_provider)]
    assert len({repr(outcome) for outcome in outcomes}) == 1
    if outcomes[0] is None:
        raise BadToken
    assert subject == (sub if isinstance(sub := outcomes[0].get("sub"), str) else "")
    assert unverified_header(token)["alg"] == "Ed25519"


def _verified(verify: Any, token: str) -> dict[str, Any] | None:  # noqa: ANN401, any of three
    try:
        claims: dict[str, Any] = verify(token).claims
    except BadToken:
        return None
    return claims


def _of_client(token: str) -> Any:  # noqa: ANN401, a pair of the module
    return verify_with(token, [JWK])


def _of_provider(token: str) -> Any:  # noqa: ANN401, a pair of the module
    return verify_of_provider(token, [JWK], "Ed25519")


def read_dpop(data: bytes) -> None:
    """The header and the claims of a proof, on a line each. It is good with its own key only."""
    header, _, payload = data.partition(b"\n")
    token = signed(header, payload)
    claimed = unverified_proof(token)
    jti = dpop.check_proof(claimed, dpop.ProofRequirements("POST", f"{ISSUER}/oauth2/token"))
    dpop.check_nonce(claimed, [_NONCE_KEY], NOW)
    proof = read_proof(token)
    assert jti
    assert proof.claims == claimed.claims
    assert proof.jkt == _KEY.thumbprint()


def read_dpop_text(data: bytes) -> None:
    """The text of the DPoP header as it comes."""
    unverified_proof(text(data))
    assert read_proof(text(data)).jkt == _KEY.thumbprint()


def read_assertion_claims(data: bytes) -> None:
    token = signed(b'{"alg":"Ed25519"}', data)
    unverified_subject(token)
    claims = verify_with(token, [JWK]).claims
    good = read_assertion(claims, client_id="tv-app", issuer=ISSUER, now=NOW)
    assert good is None or isinstance(good, Assertion)
    assert good is None or 0 < good.keep_s <= 800


def read_provider_claims(data: bytes) -> None:
    """The claims of an ID token, and what is made of the person in it."""
    claims = verify_of_provider(signed(b'{"alg":"Ed25519"}', data), [JWK], "Ed25519").claims
    person = read_person(
        claims, ClaimMap("preferred_username", "name", "email", "groups"), trusts_email=False
    )
    for each in (person.wanted_name, person.name or "", person.email or ""):
        assert each.isprintable()
    why_not_admitted(person, Admission(("staff",), ("example.com",)), has_address=True)
    assert all(method.isascii() for method in methods_of(claims))
    (context_of(claims) or "").encode()
    auth_time_of(claims)
    check_access_token_hash(claims, "token", "RS256")
    expected = ExpectedToken(ISSUER, "df", "n-0S6", 600, ("urn:mfa",))
    check_id_token(claims, expected, NOW)
    whose = UpstreamSubject(ISSUER, claims["sub"])
    assert all(account_names(person.wanted_name, whose))


def read_logout(data: bytes) -> None:
    """What ends sessions has names that the store can look for."""
    claims = verify_of_provider(signed(b'{"alg":"Ed25519"}', data), [JWK], "Ed25519").claims
    token = read_logout_token(claims, issuer=ISSUER, client_id="df", now=NOW)
    assert token.jti
    (token.sid + token.subject).encode()


def read_jwk(data: bytes) -> None:
    """A key that may be used has no fault; JSON as it is in a registration and in a proof."""
    for decode in (msgspec.json.decode, json.loads):
        try:
            jwk = decode(data)
        except (ValueError, RecursionError):
            continue
        if isinstance(jwk, dict):
            found = fault(jwk)
            assert not (is_public_jwk(jwk) and found)
            assert found is None or (found.wrong and found.right)


def read_registration(data: bytes) -> None:
    metadata = msgspec.json.decode(data, type=RegistrationRequest)
    registered = apply_metadata(metadata, "new", None, _SETTINGS)
    assert registered.client.client_id == "new"
    assert not registered.client.verified


def read_provider_metadata(data: bytes) -> None:
    metadata = read_metadata(msgspec.json.decode(data, type=dict[str, Any]), ISSUER)
    assert metadata.token_endpoint.lower().startswith("https://")


_SETTINGS = Settings()
_RSA = {"kty": "RSA", "n": base64url.encode(b"\xff" * 256), "e": "AQAB", "alg": "RS256"}
_EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
_AT_HASH = base64url.encode(sha256(b"token").digest()[:16])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

TARGETS = (
    Target(
        "JWT",
        read_jwt,
        (
            _SIGNER.sign({"iss": ISSUER, "sub": "ada", "exp": _NOW}, ACCESS_TOKEN_TYPE).encode(),
            signed(_HEADER, _json(ID_TOKEN)).encode(),
            signed(_HEADER, _json(LOGOUT)).encode(),
        ),
        (BadToken,),
    ),
    Target(
        "DPoP proof",
        read_dpop,
        (
            _PROOF_HEADER + b"\n" + _json(PROOF),
            _PROOF_HEADER + b"\n" + _json({"extra": [1.5, None]} | PROOF),
        ),
        (dpop.ProofError,),
    ),
    Target(
        "DPoP header",
        read_dpop_text,
        (signed(_PROOF_HEADER, _json(PROOF)).encode(),),
        (dpop.ProofError,),
    ),
    Target(
        "client assertion",
        read_assertion_claims,
        (_json(ASSERTION), _json(ASSERTION | {"aud": [ISSUER], "iat": _NOW})),
        (BadToken,),
    ),
    Target(
        "ID token of a provider",
        read_provider_claims,
        (_json(ID_TOKEN), _json(ID_TOKEN | {"at_hash": _AT_HASH})),
        (BadToken, TokenError),
    ),
    Target(
        "logout token",
        read_logout,
        (_json(LOGOUT), _json(LOGOUT | {"x": 1})),
        (BadToken, TokenError),
    ),
    Target("public key", read_jwk, (_json(JWK), _json(_RSA), _json(_EC))),
    Target(
        "registration",
        read_registration,
        (
            _json({"client_name": "Box", "scope": "openid", "grant_types": None}),
            _json(
                {
                    "client_name": "Tool",
                    "token_endpoint_auth_method": "private_key_jwt",
                    "jwks": {"keys": [JWK, _EC]},
                    "client_uri": "https://a.example/x",
                    "application_type": "native",
                    "dpop_bound_access_tokens": True,
                }
            ),
        ),
        (OAuthError, *_UNREADABLE),
    ),
    Target(
        "metadata of a provider",
        read_provider_metadata,
        (
            _json(
                {
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    "jwks_uri": f"{ISSUER}/jwks",
                    "end_session_endpoint": f"{ISSUER}/end",
                    "response_types_supported": ["code", "id_token"],
                    "scopes_supported": ["openid"],
                }
            ),
        ),
        (UpstreamError, *_UNREADABLE),
    ),
)
