"""The rule for public keys of clients (RFC 7517, RFC 7518 3.3, 6; RFC 8037 2)."""

import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from deviceflow.core import base64url
from deviceflow.core.public_key import ASYMMETRIC, CURVES, fault
from deviceflow.signing.keys import is_public_jwk

Jwk = dict[str, Any]


def _number(value: int) -> str:
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8))


def _public(key: ECKey | OKPKey | RSAKey) -> Jwk:
    return dict(key.as_dict(private=False))


def _rsa(bits: int) -> Jwk:
    """A public key of that length, not of two primes: to find those takes a while."""
    return {"kty": "RSA", "n": _number((1 << bits) - 1), "e": "AQAB"}


RSA = _rsa(2048)
EC = _public(ECKey.generate_key("P-256", auto_kid=False))
ED = _public(OKPKey.generate_key("Ed25519", auto_kid=False))


@pytest.mark.parametrize("exponent", [3, 17, 65_537, (1 << 33) - 1])
def test_an_exponent_that_costs_little_is_good(exponent: int) -> None:
    assert fault(RSA | {"e": _number(exponent)}) is None
    assert fault(RSA | {"e": _number(exponent), "n": _number((1 << 4096) - 1)}) is None


def _without(jwk: Mapping[str, Any], member: str) -> Jwk:
    return {name: value for name, value in jwk.items() if name != member}


def _key(kind: str) -> ECKey | OKPKey | RSAKey:
    match kind:
        case "P-256" | "P-384" | "P-521":
            return ECKey.generate_key(kind)
        case "Ed25519" | "Ed448":
            return OKPKey.generate_key(kind)
    return RSAKey.generate_key(2048)


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "Ed25519", "Ed448", "RSA"])
def test_a_good_key_is_one_that_verifies(kind: str) -> None:
    """RFC 7518 3.1: the key works with one of the offered algorithms."""
    key = _key(kind)
    public = _public(key)
    assert fault(public) is None
    assert is_public_jwk(public)
    verified = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EdDSA, an older name (RFC 9864)
        for algorithm in ASYMMETRIC:
            registry = jws.JWSRegistry(algorithms=[algorithm])
            try:
                token = jws.serialize_compact({"alg": algorithm}, b"", key, registry=registry)
            except Exception:  # noqa: BLE001, S112 - not with this key
                continue
            jws.deserialize_compact(token, key, registry=registry)
            verified.add(algorithm)
            assert fault(public | {"alg": algorithm}) is None
    assert verified
    assert {a for a in ASYMMETRIC if fault(public | {"alg": a}) is None} == verified


USELESS: dict[str, tuple[Jwk, str]] = {
    "an even exponent": (RSA | {"e": _number(65_536)}, "an RSA key with an unusual e"),
    "an exponent of 1": (RSA | {"e": _number(1)}, "an RSA key with an unusual e"),
    "an exponent of 0": (RSA | {"e": "AA"}, "an RSA key without e"),
    "a long exponent": (RSA | {"e": _number((1 << 33) + 1)}, "an RSA key with an unusual e"),
    "an exponent like a modulus": (RSA | {"e": RSA["n"]}, "an RSA key with an unusual e"),
    "a modulus of 4,097 bits": (RSA | {"n": _number((1 << 4096) + 1)}, "an RSA key of 4097 bits"),
    "nothing": ({}, "a key of no kty"),
    "a kty that is a list": ({"kty": ["EC"]}, "a key of no kty"),
    "kty alone": ({"kty": "EC"}, "a key of no kty"),
    "a symmetric key": ({"kty": "oct"}, "a key of no kty"),
    "an unknown kty": ({"kty": "AKP", "pub": "A"}, "a key of no kty"),
    "secp256k1": (_public(ECKey.generate_key("secp256k1")), "a key of no kty"),
    "X25519": (_public(OKPKey.generate_key("X25519")), "a key of no kty"),
    "EC as OKP": (EC | {"kty": "OKP"}, "a key of no kty"),
    "another curve": (EC | {"crv": "P-384"}, "a key without a good x"),
    "no x": (_without(EC, "x"), "a key without a good x"),
    "no y": (_without(EC, "y"), "a key without a good y"),
    "a y that is a number": (EC | {"y": 1}, "a key without a good y"),
    "a placeholder as x": (EC | {"x": "REPLACE"}, "a key without a good x"),
    "a padded x": (EC | {"x": EC["x"] + "="}, "a key without a good x"),
    "an x with a line's end": (EC | {"x": EC["x"] + "\n"}, "a key without a good x"),
    "a short x": (ED | {"x": ED["x"][:-2]}, "a key without a good x"),
    "RSA of 1024 bits": (_rsa(1024), "an RSA key of 1024 bits"),
    "RSA of 2040 bits": (_rsa(2040), "an RSA key of 2040 bits"),
    "RSA of 0 bits": (RSA | {"n": "A" * 342}, "an RSA key of 0 bits"),
    "RSA of 2047 bits": (RSA | {"n": "f" + "A" * 341}, "an RSA key of 2047 bits"),
    "RSA of 24000 bits": (RSA | {"n": "_" * 4000}, "an RSA key of 24000 bits"),
    "no n": (_without(RSA, "n"), "an RSA key of 0 bits"),
    "no e": (_without(RSA, "e"), "an RSA key without e"),
    "for encryption": (EC | {"use": "enc"}, "a key for another use"),
    "for signing": (EC | {"key_ops": ["sign"]}, "a key without verify"),
    "key_ops that are a text": (EC | {"key_ops": "verify"}, "a key for another use"),
    "the alg of another curve": (EC | {"alg": "ES384"}, "a key whose alg"),
    "an alg for encryption": (EC | {"alg": "ECDH-ES"}, "a key whose alg"),
    "the alg of another kty": (RSA | {"alg": "ES256"}, "a key whose alg"),
    "an alg that is a list": (RSA | {"alg": ["RS256"]}, "a key whose alg"),
    "a private key": (EC | {"d": "A"}, "a private key"),
}


@pytest.mark.parametrize(("jwk", "wrong"), USELESS.values(), ids=USELESS)
def test_a_key_that_is_of_no_use(jwk: Jwk, wrong: str) -> None:
    """RFC 7518 3.3: 2048 bits or more; 7523-3-a: other keys cannot verify."""
    key_fault = fault(jwk)
    assert key_fault is not None
    assert key_fault.wrong.startswith(wrong)
    assert not is_public_jwk(jwk)


def test_a_point_that_is_on_no_curve() -> None:
    """Its members are right, but it is not a key."""
    jwk = EC | {"y": EC["x"]}
    assert fault(jwk) is None
    assert not is_public_jwk(jwk)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg", "key_ops", "kid"])


@given(st.sampled_from([EC, ED, RSA]), st.dictionaries(MEMBERS, JSON, max_size=3))
def test_anything_is_taken_or_refused(jwk: Jwk, changed: Jwk) -> None:
    """Any JSON in a key is handled. A key that is refused is never imported."""
    whole = jwk | changed
    assert is_public_jwk(whole) in ({False} if fault(whole) else {True, False})


def test_every_curve_is_for_something() -> None:
    assert {name for kind in CURVES.values() for name in kind.algorithms} < set(ASYMMETRIC)
    assert not {"none", "HS256"} & set(ASYMMETRIC)
