"""JSON answers: a message, an error with its headers, the answer to an exception."""

import re

import msgspec
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from deviceflow.core.errors import (
    OAuthError,
    invalid_client,
    invalid_request,
    temporarily_unavailable,
    use_dpop_nonce,
)
from deviceflow.oauth.answers import (
    CHALLENGE,
    HTTP_ERRORS,
    error_response,
    exception_response,
    json_response,
)
from deviceflow.store.errors import StoreUnavailable


def content(response: web.Response) -> dict[str, object]:
    """The JSON; the headers are checked on the way."""
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert isinstance(response.body, bytes)
    decoded: dict[str, object] = msgspec.json.decode(response.body)
    return decoded


def test_json() -> None:
    """6749-5.1: no cache may keep it."""
    response = json_response({"a": 1}, status=201, Allow="GET")
    assert (response.status, content(response)) == (201, {"a": 1})
    assert response.headers["Allow"] == "GET"


def test_an_error() -> None:
    """6749-5.2: a member without a value is left out."""
    response = error_response(invalid_request("A doubled parameter."))
    assert response.status == 400
    assert content(response) == {
        "error": "invalid_request",
        "error_description": "A doubled parameter.",
    }
    assert not {"Retry-After", "WWW-Authenticate"} & response.headers.keys()
    assert content(error_response(OAuthError("slow_down"), interval=7)) == {
        "error": "slow_down",
        "interval": 7,
    }


def test_the_headers_of_an_error() -> None:
    refused = error_response(invalid_client(challenge=True))
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, CHALLENGE)
    assert "WWW-Authenticate" not in error_response(invalid_client()).headers
    assert error_response(temporarily_unavailable(9)).headers["Retry-After"] == "9"
    assert error_response(use_dpop_nonce("abc")).headers["DPoP-Nonce"] == "abc"


def test_an_error_without_a_code() -> None:
    """6750-3-a: a challenge, and no body."""
    response = error_response(OAuthError("", status=401, headers={"WWW-Authenticate": "Bearer"}))
    assert (response.status, response.body) == (401, None)
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Cache-Control"] == "no-store"


def test_what_an_endpoint_raises() -> None:
    assert content(exception_response(invalid_client()))["error"] == "invalid_client"
    away = exception_response(StoreUnavailable())
    assert (away.status, content(away)["error"]) == (503, "temporarily_unavailable")
    assert "Retry-After" in away.headers


@pytest.mark.parametrize(
    "error", [web.HTTPNotFound(), web.HTTPRequestEntityTooLarge(1, 2), web.HTTPExpectationFailed()]
)
def test_what_aiohttp_raises(error: web.HTTPException) -> None:
    """The server's own words: those of aiohttp repeat what was sent."""
    response = exception_response(error)
    assert response.status == error.status
    assert content(response) == {
        "error": "invalid_request",
        "error_description": HTTP_ERRORS[error.status],
    }


def test_an_error_of_aiohttp_without_a_text() -> None:
    response = exception_response(web.HTTPGone())
    assert re.fullmatch(r"[A-Z][a-z ]+\.", str(content(response)["error_description"]))


def test_another_method() -> None:
    """The Allow header (RFC 9110 10.2.1), and the same in words, without HEAD."""
    error = web.HTTPMethodNotAllowed("PUT", {"POST", "GET", "HEAD"})
    response = exception_response(error)
    assert response.status == 405
    assert str(content(response)["error_description"]).endswith(" Use GET or POST.")
    assert {*response.headers["Allow"].split(",")} == {"GET", "HEAD", "POST"}


def test_an_unexpected_exception() -> None:
    """500 without the exception's words, which are in the log."""
    with capture_logs() as logs:
        response = exception_response(RuntimeError("a secret"))
    assert (response.status, content(response)["error"]) == (500, "server_error")
    assert "secret" not in str(content(response))
    assert [(log["event"], log["log_level"]) for log in logs] == [("request.failed", "error")]
