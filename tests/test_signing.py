"""Signing: tokens verify with the published keys, and no private key is published."""

import base64
import json
import time

import msgspec
import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, KeySet, RSAKey

from deviceflow.core.claims import ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE, Claims
from deviceflow.core.dpop import ProofError
from deviceflow.core.signing_key import SigningKey
from deviceflow.signing import (
    BadToken,
    Signer,
    new_key,
    read_proof,
    sign_with,
    unverified_header,
    verify_of_provider,
    verify_with,
)
from tests.stage.clock import Clock

CLAIMS: Claims = {"iss": "https://id.example.com", "sub": "user_1", "exp": 2_000_000_000}
# RFC 7518 6.2.2, 6.3.2; RFC 8037 2
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
NOW = 1_700_000_000
KEY_TYPES = {"ES256": "EC", "Ed25519": "OKP", "RS256": "RSA"}
ALGORITHMS = tuple(KEY_TYPES)


@pytest.fixture(scope="module")
def keys() -> dict[str, SigningKey]:
    """Make a key of each algorithm. An RSA key is slow to make."""
    return {algorithm: new_key(algorithm, NOW) for algorithm in ALGORITHMS}


@pytest.fixture(params=ALGORITHMS)
def signer(request: pytest.FixtureRequest, keys: dict[str, SigningKey]) -> Signer:
    """Make a signer for each algorithm, with keys of all algorithms."""
    return Signer(keys.values(), request.param, time.time)


def header_of(token: str) -> dict[str, object]:
    raw = token.split(".", maxsplit=1)[0]
    header: dict[str, object] = json.loads(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    return header


def published(signer: Signer) -> KeySet:
    """Return the published keys, as a verifier reads them."""
    return KeySet.import_key_set(json.loads(json.dumps(signer.jwks())))


def test_a_token_verifies_with_the_published_keys(signer: Signer) -> None:
    """9068-2.1-a."""
    token = signer.sign(CLAIMS, ACCESS_TOKEN_TYPE)
    verified = jwt.decode(token, published(signer), algorithms=[signer.algorithm])
    assert verified.claims == CLAIMS


def test_a_changed_token_does_not(signer: Signer) -> None:
    head, body, signature = signer.sign(CLAIMS, ACCESS_TOKEN_TYPE).split(".")
    _, other_body, _ = signer.sign(CLAIMS | {"sub": "user_2"}, ACCESS_TOKEN_TYPE).split(".")
    assert body != other_body
    with pytest.raises(BadSignatureError):
        jwt.decode(
            f"{head}.{other_body}.{signature}", published(signer), algorithms=[signer.algorithm]
        )


@pytest.mark.parametrize("token_type", [ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE])
def test_the_header_says_what_it_is_and_which_key_to_take(signer: Signer, token_type: str) -> None:
    """9068-2.1-a: at+jwt; OIDC-10.1.1-a: a kid."""
    header = header_of(signer.sign(CLAIMS, token_type))
    assert header == {"alg": signer.algorithm, "typ": token_type, "kid": header["kid"]}
    (key,) = [key for key in signer.jwks()["keys"] if key["kid"] == header["kid"]]
    assert (key["alg"], key["kty"]) == (signer.algorithm, KEY_TYPES[signer.algorithm])


def test_the_published_keys_are_public(signer: Signer) -> None:
    """OIDCD-3-a: no private keys."""
    keys = signer.jwks()["keys"]
    assert len(keys) == 3
    for key in keys:
        assert set(key) & PRIVATE_MEMBERS == set()
        assert key["use"] == "sig"
        assert key["alg"] in ALGORITHMS
    assert len({key["kid"] for key in keys}) == 3


def test_all_keys_are_published_so_that_old_tokens_verify(keys: dict[str, SigningKey]) -> None:
    """OIDC-10.1.1-a: also after a change of the algorithm."""
    before = Signer([keys["ES256"]], "ES256", time.time)
    token = before.sign(CLAIMS, ACCESS_TOKEN_TYPE)
    after = Signer([keys["Ed25519"], keys["ES256"]], "Ed25519", time.time)
    assert header_of(after.sign(CLAIMS, ACCESS_TOKEN_TYPE))["alg"] == "Ed25519"
    assert jwt.decode(token, published(after), algorithms=["ES256"]).claims == CLAIMS


def test_it_is_known_which_algorithm_a_key_is_for(keys: dict[str, SigningKey]) -> None:
    for algorithm, key in keys.items():
        assert (key.algorithm, key.created_at) == (algorithm, NOW)
        assert [other for other in ALGORITHMS if key.algorithm == other] == [algorithm]


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_each_new_key_is_another(algorithm: str) -> None:
    first, second = new_key(algorithm, NOW), new_key(algorithm, NOW)
    assert first.key_id != second.key_id
    assert first.jwk != second.jwk


def test_a_superseded_key_goes_when_its_time_is_over(clock: Clock) -> None:
    """OIDC-10.1.1-a: not published and not accepted, also without a reload of the keys."""
    old, new = new_key("ES256", NOW), new_key("ES256", NOW)
    token = Signer([old], "ES256", time.time).sign(CLAIMS, ACCESS_TOKEN_TYPE)
    ending = msgspec.structs.replace(old, expires_at=int(clock()) + 10)
    signer = Signer([ending, new], "ES256", clock)
    clock.advance(9)
    assert signer.verify(token).claims == CLAIMS
    assert len(signer.jwks()["keys"]) == 2
    clock.advance(1)
    with pytest.raises(BadToken):
        signer.verify(token)
    assert [key["kid"] for key in signer.jwks()["keys"]] == [new.key_id]


def test_a_key_that_still_signs_is_published(clock: Clock) -> None:
    """Its successor was withdrawn: verifiers need it, whatever its expiry."""
    only = msgspec.structs.replace(new_key("ES256", NOW), expires_at=int(clock()) - 1)
    signer = Signer([only], "ES256", clock)
    assert signer.verify(signer.sign(CLAIMS, ACCESS_TOKEN_TYPE)).claims == CLAIMS
    assert len(signer.jwks()["keys"]) == 1


@pytest.mark.filterwarnings("ignore:.*2048:joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(("bits", "good"), [(1024, False), (2048, True)])
def test_what_others_sign_with(bits: int, good: bool) -> None:  # noqa: FBT001 - a column
    """RFC 7518 3.3, 9449-4.3-a, 7523-3-a: 2048 bits or more, in a proof and in an assertion."""
    key = RSAKey.generate_key(bits, auto_kid=False)
    public = key.as_dict(private=False)
    header = {"alg": "RS256", "typ": "dpop+jwt", "jwk": public}
    token = jwt.encode(header, CLAIMS, key, algorithms=["RS256"])
    if good:
        assert read_proof(token).claims == verify_with(token, [public]).claims == CLAIMS
        return
    with pytest.raises(ProofError):
        read_proof(token)
    with pytest.raises(BadToken):
        verify_with(token, [public])


# Tokens of upstream providers


def test_a_token_of_a_provider() -> None:
    """The first key that fits is enough; a key that may not verify is passed over."""
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    many = {"groups": [f"group-{number}" for number in range(2000)]}
    token = jwt.encode({"alg": "ES256", "kid": "k"}, CLAIMS | many, key)
    public = [each.as_dict(private=False) for each in (other, key)]
    assert unverified_header(token)["kid"] == "k"
    assert verify_of_provider(token, [{}, *public], "ES256").claims == CLAIMS | many
    for jwks, algorithm in ((public[:1], "ES256"), ([], "ES256"), (public, "RS256")):
        with pytest.raises(BadToken):
            verify_of_provider(token, jwks, algorithm)


@pytest.mark.parametrize("token", ["", "x", "..", "a.b.c", "{}.{}.{}", "\ud800.x.y", "ü.ü.ü"])
def test_what_is_no_token_of_a_provider(token: str) -> None:
    with pytest.raises(BadToken):
        unverified_header(token)


def test_a_token_without_end() -> None:
    key = ECKey.generate_key("P-256")
    token = jwt.encode({"alg": "ES256"}, {"x": "y" * 70_000}, key)
    with pytest.raises(BadToken):
        verify_of_provider(token, [key.as_dict(private=False)], "ES256")


def test_a_client_assertion() -> None:
    """What keys and errors there are, `upstream/test_credential.py` shows."""
    key = ECKey.generate_key("P-384", private=True)
    token = jwt.decode(sign_with(key.as_pem(private=True), CLAIMS, None), key, ["ES384"])
    assert token.claims == CLAIMS
    assert token.header == {"alg": "ES384", "typ": "JWT", "kid": key.thumbprint()}
