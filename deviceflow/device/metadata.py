"""The server's metadata: RFC 8414, or OIDC Discovery if the server has only that."""

from typing import Final

import aiohttp
import msgspec

from deviceflow.device.address import split_url
from deviceflow.device.answers import OK, Reply, printable, read_object
from deviceflow.device.errors import DiscoveryError, InsecureAddressError, UnavailableError
from deviceflow.device.transport import fetch

# RFC 8414 2: the default if token_endpoint_auth_methods_supported is absent.
_DEFAULT_AUTH_METHODS: Final = ("client_secret_basic",)


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata that a device needs (RFC 8414 2, RFC 8628 4).

    `revocation_endpoint` is where a device signs out (RFC 7009), if the server offers that.

    `device_poll_max_wait` is an extension: the longest time in seconds for which the token
    endpoint holds a poll with `Prefer: wait=N` (RFC 7240 4.3).
    """

    issuer: str
    token_endpoint: str
    device_authorization_endpoint: str | None = None
    revocation_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = _DEFAULT_AUTH_METHODS
    device_poll_max_wait: int = 0


def well_known(issuer: str) -> tuple[str, str]:
    """Return the two addresses of an issuer's metadata, in the order in which to try them.

    RFC 8414 3.1 inserts its suffix before the issuer's path, OIDC Discovery 4.1 appends it. Both
    drop a slash at the end. May raise InsecureAddressError.
    """
    parts = split_url(issuer, "issuer")
    if parts.query:
        raise InsecureAddressError(f"The issuer {issuer} must have no query (RFC 8414 2).")
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return (
        f"{base}/.well-known/oauth-authorization-server{path}",
        f"{base}{path}/.well-known/openid-configuration",
    )


async def discover(session: aiohttp.ClientSession, issuer: str, *, timeout_s: float) -> Metadata:
    """Fetch and check the issuer's metadata.

    May raise DiscoveryError, InsecureAddressError, UnreachableError, UnavailableError (5xx or 429:
    that says nothing about the issuer).
    """
    answers: list[str] = []
    unavailable: Reply | None = None
    for address in well_known(issuer):
        reply = await fetch(session, address, timeout_s=timeout_s)
        document = read_object(reply.body) if reply.status == OK else None
        if document is not None:
            return read_metadata(issuer, document)
        if reply.is_unavailable:
            unavailable = reply
        answers.append("no JSON object" if reply.status == OK else str(reply))
    if unavailable is not None:
        raise UnavailableError(unavailable.status, unavailable.retry_after)
    raise DiscoveryError(
        f"{issuer} is not an OAuth server: it has neither /.well-known/oauth-authorization-server "
        f"({answers[0]}) nor /.well-known/openid-configuration ({answers[1]}). Check the issuer."
    )


def read_metadata(issuer: str, document: dict[str, object]) -> Metadata:
    """Make Metadata of a document. May raise DiscoveryError, InsecureAddressError.

    RFC 8414 3.3: a document with another issuer MUST NOT be used.
    """
    named_issuer = document.get("issuer")
    if named_issuer != issuer:
        shown = printable(str(named_issuer)) if named_issuer else "no issuer"
        raise DiscoveryError(
            f"The metadata of {issuer} names another issuer: {shown}. "
            "The two must be the same to the last character (RFC 8414 3.3); use that address if "
            "you trust it."
        )
    try:
        metadata = msgspec.convert(document, Metadata)
    except msgspec.ValidationError as error:
        raise DiscoveryError(f"The metadata of {issuer} is not usable: {error}.") from error
    check_endpoints(metadata)
    return metadata


def check_endpoints(metadata: Metadata) -> str:
    """Check both endpoints, and return the device authorization endpoint.

    May raise DiscoveryError (the server has no device flow), InsecureAddressError.
    """
    split_url(metadata.token_endpoint, "token endpoint")
    endpoint = metadata.device_authorization_endpoint
    if endpoint is None:
        raise DiscoveryError(
            f"{metadata.issuer} does not offer the device flow: its metadata has no "
            "device_authorization_endpoint (RFC 8628 4). Ask its operator to turn it on."
        )
    split_url(endpoint, "device authorization endpoint")
    return endpoint


def check_revocation_endpoint(metadata: Metadata) -> str:
    """Check and return the revocation endpoint.

    May raise DiscoveryError (the server has none), InsecureAddressError.
    """
    endpoint = metadata.revocation_endpoint
    if endpoint is None:
        raise DiscoveryError(
            f"{metadata.issuer} cannot revoke tokens: its metadata has no revocation_endpoint "
            "(RFC 8414 2)."
        )
    split_url(endpoint, "revocation endpoint")
    return endpoint
