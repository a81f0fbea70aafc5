"""Origins of URLs in normal form (RFC 6454 section 6.2)."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
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


def is_written_as_in_browsers(host: str) -> bool:
    """Return whether browsers write a host of a URL, in lower case and without brackets, like this.

    They shorten IPv6 addresses, take a name whose last label is a number for an IPv4 address,
    decode percent signs, and know no zones (URL Standard 3.5 and 3.6).
    """
    if "%" in host:
        return False
    if ":" in host:
        return host == _ipv6_in_browsers(host)
    last = host.removesuffix(".").rpartition(".")[2]
    if not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last):
        return bool(last)
    try:
        return host == str(IPv4Address(host))
    except AddressValueError:
        return False


def _ipv6_in_browsers(host: str) -> str:
    """Write an IPv6 address anew, empty if it is none. The end is never written as IPv4."""
    try:
        address = IPv6Address(host)
    except AddressValueError:
        return ""
    mapped = address.ipv4_mapped
    # Python 3.13 and later write such an address with the IPv4 address in it.
    return (
        str(address) if mapped is None else f"::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}"
    )
