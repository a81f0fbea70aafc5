"""The errors for machines (RFC 6749 5.2)."""

import re

import pytest

from deviceflow.core.errors import (
    OAuthError,
    invalid_client,
    invalid_grant,
    invalid_request,
    invalid_scope,
    temporarily_unavailable,
    unsupported_grant_type,
)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (invalid_request("Why."), "invalid_request", 400),
        (invalid_request("Why.", 413), "invalid_request", 413),
        (invalid_client(), "invalid_client", 401),
        (invalid_grant("Why."), "invalid_grant", 400),
        (invalid_scope(), "invalid_scope", 400),
        (unsupported_grant_type(), "unsupported_grant_type", 400),
        (temporarily_unavailable(), "temporarily_unavailable", 503),
    ],
)
def test_code_status_and_words(error: OAuthError, code: str, status: int) -> None:
    """6749-5.2-a, 6749-5.2-b, 6749-5.2-c: the description stays inside the RFC's characters."""
    assert (error.code, error.status, str(error)) == (code, status, code)
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", error.description)


def test_only_who_used_the_header_is_challenged() -> None:
    """6749-5.2-a."""
    assert invalid_client(challenge=True).challenge
    assert not invalid_client().challenge


def test_who_cannot_be_served_now_is_told_when() -> None:
    assert temporarily_unavailable(7).retry_after == 7
    assert invalid_scope().retry_after == 0
