"""What a provider says of itself (OpenID Connect Discovery 1.0; RFC 8414, RFC 9207)."""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from deviceflow.core.address import is_loopback
from deviceflow.upstream.errors import Cause, UpstreamError


class ProviderMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The members that this client uses. Unknown members are ignored."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    code_challenge_methods_supported: tuple[str, ...] | None = None
    response_modes_supported: tuple[str, ...] = ("query", "fragment")
    response_types_supported: tuple[str, ...] = ("code",)
    authorization_response_iss_parameter_supported: bool = False


def metadata_url(issuer: str) -> str:
    """Return where the metadata is (OpenID Connect Discovery 4.1)."""
    return f"{issuer.removesuffix('/')}/.well-known/openid-configuration"


def read_metadata(document: dict[str, Any], issuer: str) -> ProviderMetadata:
    """Read the metadata of `issuer`. May raise UpstreamError.

    Its issuer must be the configured one, byte for byte (OpenID Connect Discovery 4.3): otherwise
    one provider could speak for another one.
    """
    try:
        metadata = msgspec.convert(document, ProviderMetadata)
    except msgspec.ValidationError as error:
        raise UpstreamError(Cause.BAD_METADATA, str(error)) from error
    if metadata.issuer != issuer:
        said = metadata.issuer[:200]
        raise UpstreamError(Cause.BAD_METADATA, f"its issuer is {said!r}, and not {issuer!r}")
    is_local = urlsplit(issuer).scheme == "http"
    for name in (
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "end_session_endpoint",
    ):
        url = getattr(metadata, name)
        if url is not None and not _is_endpoint(url, is_local=is_local):
            raise UpstreamError(Cause.BAD_METADATA, f"{name} is no https:// URL")
    if "code" not in metadata.response_types_supported:
        raise UpstreamError(Cause.BAD_METADATA, "it does not support response_type code")
    return metadata


def _is_endpoint(url: str, *, is_local: bool) -> bool:
    """Return whether requests may go to `url`: over TLS, or on the loopback of a local issuer."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if (
        not host
        or "@" in parts.netloc
        or parts.fragment
        or not (url.isascii() and url.isprintable())
    ):
        return False
    if any(character in url for character in " <>\"'\\"):
        return False
    return parts.scheme == "https" or (is_local and parts.scheme == "http" and is_loopback(host))
