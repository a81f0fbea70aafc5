"""What a provider says of itself."""

from typing import Any

import pytest

from deviceflow.upstream.errors import Cause, UpstreamError
from deviceflow.upstream.metadata import ProviderMetadata, metadata_url, read_metadata

ISSUER = "https://sso.example.com/realms/main"
DOCUMENT = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "something_new": {"of": ["tomorrow"]},
}


def read(**members: Any) -> ProviderMetadata:  # noqa: ANN401, JSON
    return read_metadata(DOCUMENT | members, ISSUER)


def refusal(**members: Any) -> str:  # noqa: ANN401, JSON
    with pytest.raises(UpstreamError) as caught:
        read(**members)
    assert caught.value.cause is Cause.BAD_METADATA
    return caught.value.detail


def test_where_it_is() -> None:
    """A slash at the end of the issuer is taken off first (OpenID Connect Discovery 4.1)."""
    assert metadata_url(ISSUER) == f"{ISSUER}/.well-known/openid-configuration"
    assert metadata_url(f"{ISSUER}/") == f"{ISSUER}/.well-known/openid-configuration"


def test_what_is_left_out_has_the_default_of_the_specification() -> None:
    metadata = read()
    assert metadata.id_token_signing_alg_values_supported == ("RS256",)
    assert metadata.token_endpoint_auth_methods_supported == ("client_secret_basic",)
    assert not metadata.authorization_response_iss_parameter_supported
    assert metadata.end_session_endpoint is None


@pytest.mark.parametrize(
    "issuer",
    [f"{ISSUER}/", ISSUER.upper(), "https://sso.example.com", f"{ISSUER}?", "https://evil.example"],
)
def test_the_issuer_is_the_configured_one_byte_for_byte(issuer: str) -> None:
    with pytest.raises(UpstreamError, match="its issuer is"):
        read_metadata(DOCUMENT | {"issuer": issuer}, ISSUER)


@pytest.mark.parametrize(
    "url",
    [
        "http://sso.example.com/token",
        "javascript:alert(1)",
        "//sso.example.com/token",
        "https://user:password@sso.example.com/token",
        "https://sso.example.com/token#fragment",
        'https://sso.example.com/"onload=',
        "https://sso.example.com/a b",
        "https://sso.example.com/\n",
        "https://",
        "https://[::1/",
        "https://sso.example.com:99999/",
        "",
    ],
)
@pytest.mark.parametrize("name", ["authorization_endpoint", "end_session_endpoint"])
def test_an_endpoint_is_a_plain_https_url(name: str, url: str) -> None:
    assert name in refusal(**{name: url})


def test_a_local_provider_may_do_without_tls() -> None:
    local = "http://127.0.0.1:3000"
    endpoints = {
        "issuer": local,
        "authorization_endpoint": f"{local}/authorize",
        "token_endpoint": "http://[::1]:3000/token",
        "jwks_uri": "http://localhost:3000/keys",
    }
    assert read_metadata(endpoints, local).token_endpoint == "http://[::1]:3000/token"
    elsewhere = endpoints | {"token_endpoint": "http://192.0.2.1/token"}
    with pytest.raises(UpstreamError, match="token_endpoint"):
        read_metadata(elsewhere, local)


def test_a_missing_or_odd_member_is_named() -> None:
    assert "jwks_uri" in refusal(jwks_uri=None)
    assert "issuer" in refusal(issuer=7)
    without = {name: value for name, value in DOCUMENT.items() if name != "token_endpoint"}
    with pytest.raises(UpstreamError, match="token_endpoint"):
        read_metadata(without, ISSUER)
    assert "response_type" in refusal(response_types_supported=["id_token"])
