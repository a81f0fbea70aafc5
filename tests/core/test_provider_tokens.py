"""Every rule for tokens of an upstream provider, broken one at a time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.provider_tokens import (
    LOGOUT_EVENT,
    MAX_AGE_S,
    SKEW_S,
    ExpectedToken,
    TokenError,
    auth_time_of,
    check_access_token_hash,
    check_id_token,
    context_of,
    methods_of,
    read_logout_token,
)

NOW = 1_793_887_400
GONE = object()
ID_TOKEN = {
    "iss": "https://sso.example.com",
    "sub": "248289761001",
    "aud": "deviceflow",
    "exp": NOW + 300,
    "iat": NOW,
    "nonce": "n-0S6_WzA2Mj",
}
EXPECTED = ExpectedToken("https://sso.example.com", "deviceflow", "n-0S6_WzA2Mj")
LOGOUT_TOKEN = {
    "iss": "https://sso.example.com",
    "sub": "248289761001",
    "sid": "08a5019c",
    "aud": ["deviceflow"],
    "iat": NOW,
    "exp": NOW + 120,
    "jti": "bWJq",
    "events": {LOGOUT_EVENT: {}},
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def changed(token: dict[str, Any], **claims: object) -> dict[str, Any]:
    return {name: value for name, value in (token | claims).items() if value is not GONE}


def fault(expected: ExpectedToken = EXPECTED, **claims: object) -> str:
    """The claim for which an ID token with these changes is refused; empty if it is good."""
    try:
        check_id_token(changed(ID_TOKEN, **claims), expected, NOW)
    except TokenError as error:
        return error.claim
    return ""


def test_a_good_token_passes() -> None:
    assert fault() == ""
    assert fault(aud=["deviceflow"], azp="deviceflow") == ""
    assert fault(aud=["deviceflow", "other"], azp="deviceflow") == ""


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", "https://sso.example.com/"),
        ("iss", GONE),
        ("sub", ""),
        ("sub", GONE),
        ("sub", 7),
        ("sub", "x" * 256),
        ("sub", "\ud800"),
        ("sub", "a\nb"),
        ("aud", "other"),
        ("aud", ["other"]),
        ("aud", GONE),
        ("aud", {"deviceflow": 1}),
        ("azp", "other"),
        ("exp", NOW - SKEW_S),
        ("exp", GONE),
        ("exp", True),
        ("exp", "never"),
        ("exp", 10**400),
        ("exp", float("nan")),
        ("iat", NOW + SKEW_S + 1),
        ("iat", NOW - MAX_AGE_S - SKEW_S - 1),
        ("iat", GONE),
        ("nbf", NOW + SKEW_S + 1),
        ("nbf", "soon"),
        ("nonce", "another"),
        ("nonce", GONE),
        ("nonce", ["n-0S6_WzA2Mj"]),
        ("nonce", "\ud800"),
    ],
)
def test_each_claim_is_checked(claim: str, value: object) -> None:
    assert fault(EXPECTED, **{claim: value}) == claim


def test_a_token_for_several_must_say_who_asked_for_it() -> None:
    assert fault(aud=["deviceflow", "other"]) == "azp"
    assert fault(aud=["deviceflow", "other"], azp="other") == "azp"


def test_clocks_may_differ_a_little() -> None:
    assert fault(exp=NOW - SKEW_S + 1) == ""
    assert fault(iat=NOW + SKEW_S, nbf=NOW + SKEW_S) == ""


def test_an_old_authentication_is_refused_where_max_age_was_sent() -> None:
    expected = EXPECTED._replace(max_age_s=100)
    assert fault(expected, auth_time=NOW - 100 - SKEW_S) == ""
    assert fault(expected, auth_time=NOW - 101 - SKEW_S) == "auth_time"
    assert fault(expected) == "auth_time"
    assert fault(auth_time=1) == ""


def test_a_weaker_authentication_is_refused_where_levels_were_asked_for() -> None:
    expected = EXPECTED._replace(acr_values=("mfa", "phr"))
    assert fault(expected, acr="phr") == ""
    assert fault(expected, acr="pwd") == "acr"
    assert fault(expected) == "acr"
    assert fault(expected, acr=["phr"]) == "acr"


@given(st.dictionaries(st.sampled_from([*ID_TOKEN, "azp", "nbf", "auth_time", "acr"]), ANY_JSON))
def test_no_json_is_too_odd(claims: dict[str, object]) -> None:
    """Whatever the claims hold, they pass or they are refused."""
    strict = EXPECTED._replace(max_age_s=5, acr_values=("mfa",))
    odd_id_token = changed(ID_TOKEN, **claims)
    try:
        check_id_token(odd_id_token, strict, NOW)
    except TokenError:
        assert odd_id_token != ID_TOKEN | {"auth_time": NOW, "acr": "mfa"}
    odd = changed(LOGOUT_TOKEN, **claims)
    try:
        read_logout_token(odd, issuer=EXPECTED.issuer, client_id=EXPECTED.client_id, now=NOW)
    except TokenError:
        assert odd != LOGOUT_TOKEN
    methods_of(claims)
    context_of(claims)
    auth_time_of(claims)


def test_the_hash_of_the_access_token() -> None:
    """The example of OpenID Connect Core A.3."""
    access_token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    good = {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}
    check_access_token_hash(good, access_token, "RS256")
    check_access_token_hash({}, access_token, "RS256")
    check_access_token_hash({"at_hash": "not compared"}, access_token, "EdDSA")
    with pytest.raises(TokenError, match="at_hash"):
        check_access_token_hash(good, f"{access_token}x", "RS256")
    with pytest.raises(TokenError, match="at_hash"):
        check_access_token_hash(good, access_token, "ES512")


def test_what_a_token_says_of_the_sign_in() -> None:
    claims = {"amr": ["pwd", "otp", "pwd"], "acr": "urn:example:mfa", "auth_time": NOW - 5.5}
    assert methods_of(claims) == ("pwd", "otp")
    assert context_of(claims) == "urn:example:mfa"
    assert auth_time_of(claims) == NOW - 6


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"amr": "pwd", "acr": "", "auth_time": "now"},
        {"amr": [7, "", "a b", "ü", "x" * 65], "acr": "\x00", "auth_time": -1},
    ],
)
def test_what_it_does_not_say_is_not_made_up(claims: dict[str, object]) -> None:
    assert methods_of(claims) == ()
    assert context_of(claims) is None
    assert auth_time_of(claims) is None


def test_there_are_never_many_methods() -> None:
    assert len(methods_of({"amr": [str(number) for number in range(1000)]})) == 16


# Logout tokens


def logout_fault(**claims: object) -> str:
    try:
        read_logout_token(
            changed(LOGOUT_TOKEN, **claims),
            issuer=EXPECTED.issuer,
            client_id=EXPECTED.client_id,
            now=NOW,
        )
    except TokenError as error:
        return error.claim
    return ""


def test_a_good_logout_token_names_the_session() -> None:
    token = read_logout_token(
        LOGOUT_TOKEN, issuer=EXPECTED.issuer, client_id=EXPECTED.client_id, now=NOW
    )
    assert (token.subject, token.sid, token.jti) == ("248289761001", "08a5019c", "bWJq")
    assert token.keep_s > MAX_AGE_S
    assert logout_fault(sid=GONE) == ""
    assert logout_fault(sub=GONE) == ""


@pytest.mark.parametrize(
    ("claim", "value", "refused_for"),
    [
        ("iss", "https://elsewhere.example", "iss"),
        ("aud", "other", "aud"),
        ("iat", NOW - MAX_AGE_S - SKEW_S - 1, "iat"),
        ("exp", NOW - SKEW_S, "exp"),
        ("exp", "soon", "exp"),
        ("nonce", "n", "nonce"),
        ("jti", GONE, "jti"),
        ("jti", 7, "jti"),
        ("events", GONE, "events"),
        ("events", {}, "events"),
        ("events", {LOGOUT_EVENT: "yes"}, "events"),
        ("sid", ["08a5019c"], "sid"),
        ("sid", "\ud800", "sid"),
        ("sub", 7, "sub"),
    ],
)
def test_each_claim_of_a_logout_token_is_checked(
    claim: str, value: object, refused_for: str
) -> None:
    assert logout_fault(**{claim: value}) == refused_for


def test_a_logout_token_names_somebody() -> None:
    assert logout_fault(sub=GONE, sid=GONE) == "sid"


def test_a_logout_token_may_have_no_expiry() -> None:
    """Drafts of the specification asked for none; its age is bounded by iat."""
    assert logout_fault(exp=GONE) == ""
