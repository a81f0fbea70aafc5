"""The signer: tokens verify with the published keys, and no private key is published."""

import base64
import json
import time

import msgspec
import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from deviceflow.core.claims import ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE, Claims
from deviceflow.core.signing_key import SigningKey
from deviceflow.signing.errors import BadToken
from deviceflow.signing.keys import new_key
from deviceflow.signing.signer import Signer
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
