"""The endpoints of an issuer, by its metadata or by hand."""

import aiohttp

from deviceflow.conformance.endpoints import Endpoints
from deviceflow.device.answers import OK, read_object
from deviceflow.device.errors import DiscoveryError, UnavailableError
from deviceflow.device.metadata import well_known
from deviceflow.device.transport import fetch

TIMEOUT_S = 30.0


async def find_endpoints(
    issuer: str, device_authorization: str | None = None, token: str | None = None
) -> Endpoints:
    """Return where the server is reached; both endpoints by hand need no metadata.

    A wrong metadata document is no error: its checks say what is wrong with it. May raise
    DiscoveryError (there is no document, or it lacks an endpoint), InsecureAddressError,
    UnreachableError, UnavailableError (5xx or 429).
    """
    if device_authorization and token:
        return Endpoints(issuer=issuer, device_authorization=device_authorization, token=token)
    busy: UnavailableError | None = None
    async with aiohttp.ClientSession() as session:
        for address in well_known(issuer):
            reply = await fetch(session, address, timeout_s=TIMEOUT_S)
            document = read_object(reply.body) if reply.status == OK else None
            if document is not None:
                return _of_document(issuer, document, device_authorization, token)
            if reply.is_unavailable:
                busy = UnavailableError(reply.status, reply.retry_after)
    if busy is not None:
        raise busy
    raise DiscoveryError(
        f"{issuer} has no metadata (RFC 8414). Give its endpoints by hand: "
        "--device-authorization-endpoint and --token-endpoint."
    )


def _of_document(
    issuer: str, document: dict[str, object], device_authorization: str | None, token: str | None
) -> Endpoints:
    device = device_authorization or document.get("device_authorization_endpoint")
    token_endpoint = token or document.get("token_endpoint")
    if not isinstance(device, str) or not isinstance(token_endpoint, str):
        missing = (
            "device_authorization_endpoint" if not isinstance(device, str) else "token_endpoint"
        )
        raise DiscoveryError(
            f"The metadata of {issuer} has no {missing}. Does it offer the device flow? If it "
            f"does, give --{missing.replace('_', '-')}."
        )
    return Endpoints(
        issuer=issuer, device_authorization=device, token=token_endpoint, metadata=document
    )
