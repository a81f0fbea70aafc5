"""Origins of URLs in normal form (RFC 6454 section 6.2)."""

from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """Return scheme, host and port of `url` as browsers write them: lower case, no default port.

    May raise ValueError: if the port is not a number.
    """
    parts = urlsplit(url)
    host = host_in_url((parts.hostname or "").lower())
    port = "" if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def host_in_url(host: str) -> str:
    """Return a host as a URL has it: an IPv6 address in brackets (RFC 3986 3.2.2)."""
    return f"[{host}]" if ":" in host else host
