"""The authorization request, and the answer to it."""

from typing import Any

import msgspec
import pytest
from yarl import URL

from deviceflow.config import Upstream
from deviceflow.core.pkce import challenge
from deviceflow.upstream.authorization import (
    Answer,
    Detour,
    authorization_url,
    code_in,
    error_code,
    with_query,
)
from deviceflow.upstream.errors import Cause, UpstreamError
from tests.upstream.test_metadata import ISSUER, read

UPSTREAM = Upstream(id="acme", issuer=ISSUER, client_id="deviceflow", client_secret="s")
DETOUR = Detour(
    "state", "nonce", "v" * 43, "https://login.example.com/login/upstream/acme/callback"
)


def request(prompt: str = "", **changes: Any) -> dict[str, str]:  # noqa: ANN401, settings
    upstream = msgspec.structs.replace(UPSTREAM, **changes)
    return dict(URL(authorization_url(upstream, read(), DETOUR, prompt)).query)


def test_the_request() -> None:
    assert request() == {
        "response_type": "code",
        "client_id": "deviceflow",
        "redirect_uri": DETOUR.redirect_uri,
        "scope": "openid profile email",
        "state": "state",
        "nonce": "nonce",
        "code_challenge": challenge(DETOUR.verifier),
        "code_challenge_method": "S256",
    }


def test_what_the_settings_add() -> None:
    sent = request(
        "login", response_mode="form_post", max_age_s=0, acr_values=("a", "b"), scopes=("openid",)
    )
    added = ("prompt", "response_mode", "max_age", "acr_values", "scope")
    assert [sent[name] for name in added] == ["login", "form_post", "0", "a b", "openid"]


def test_a_query_of_the_endpoint_stays() -> None:
    assert with_query("https://x.example/a?p=1", {"q": "2"}) == "https://x.example/a?p=1&q=2"
    assert with_query("https://x.example/a", {"q": "ü &"}) == "https://x.example/a?q=%C3%BC+%26"


def test_pkce_is_never_left_out() -> None:
    """A provider that only has the method plain is not used."""
    metadata = read(code_challenge_methods_supported=["plain"])
    with pytest.raises(UpstreamError, match="S256"):
        authorization_url(UPSTREAM, metadata, DETOUR, "")


def cause_of(answer: Answer, **members: Any) -> tuple[Cause, str]:  # noqa: ANN401, JSON
    with pytest.raises(UpstreamError) as caught:
        code_in(answer, read(**members))
    return caught.value.cause, caught.value.code


def test_a_good_answer() -> None:
    answer = Answer.of({"state": "s", "code": "c", "iss": ISSUER, "more": "x"})
    assert code_in(answer, read()) == "c"
    assert code_in(answer._replace(iss=""), read()) == "c"


def test_the_issuer_goes_before_everything() -> None:
    """RFC 9207 2.4: an error of another issuer is no error of this one."""
    strict = {"authorization_response_iss_parameter_supported": True}
    foreign = Answer("s", "c", "https://evil.example", "access_denied")
    assert cause_of(foreign) == (Cause.BAD_ISSUER, "")
    assert cause_of(Answer("s", "c", "", ""), **strict) == (Cause.BAD_ISSUER, "")


def test_an_error_or_nothing() -> None:
    assert cause_of(Answer("s", "", "", "access_denied")) == (Cause.REFUSED, "access_denied")
    assert cause_of(Answer("s", "c", "", "access_denied")) == (Cause.REFUSED, "access_denied")
    assert cause_of(Answer("s", "", "", "")) == (Cause.BAD_RESPONSE, "")


@pytest.mark.parametrize("text", ["", "Evil", "a b", "<b>", "x" * 51, "\x00", 7, None, ["a"]])
def test_only_an_error_code_is_repeated(text: object) -> None:
    assert error_code(text) == "unknown_error"


def test_what_may_pass() -> None:
    assert UpstreamError(Cause.UNREACHABLE, "").may_pass
    assert UpstreamError(Cause.REFUSED, "", "temporarily_unavailable").may_pass
    assert not UpstreamError(Cause.REFUSED, "", "access_denied").may_pass
