"""The rule for addresses that receive codes, secrets and tokens: https, or http on loopback."""

from urllib.parse import SplitResult, urlsplit

from deviceflow.core.address import is_loopback
from deviceflow.device.answers import printable
from deviceflow.device.errors import InsecureAddressError


def split_url(url: str, what: str) -> SplitResult:
    """Check and split an address. May raise InsecureAddressError, which calls it `what`.

    RFC 8628 3.1 and RFC 6749 3.2 require TLS. On loopback, http is allowed, because the request
    crosses no network.
    """
    shown = printable(url)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")  # the look-up of the name does this, and may fail
    except ValueError as error:
        raise InsecureAddressError(f"The {what} {shown!r} is not an address: {error}.") from error
    if parts.scheme not in {"http", "https"} or not host:
        example = f"https://{shown}" if "://" not in shown and "." in shown else "https://..."
        raise InsecureAddressError(f"The {what} {shown!r} is not an address. Write {example}")
    if parts.username is not None or parts.fragment or shown != url or " " in url:
        raise InsecureAddressError(
            f"The {what} {shown!r} must have no user name, fragment or space (RFC 8414 2)."
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise InsecureAddressError(
            f"The {what} {shown} is not encrypted, so anyone on the way could take the tokens. "
            "Use https:// (http:// is for this machine only)."
        )
    return parts
