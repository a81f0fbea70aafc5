"""The address that a request comes from, with or without proxies in between.

Limits are counted by address, so a client must not be able to choose its own. Entries of
`X-Forwarded-For` are believed only if a configured proxy wrote them (RFC 9700 4.13).
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

IPV6_PREFIX = 64
"""Limits count a whole /64: a customer has at least that, so a new address for every guess."""


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return the address that a request comes from, as text.

    `peer` is the other end of the connection (empty on a Unix socket), `forwarded_for` the
    values of the `X-Forwarded-For` lines in their order, `trusted` the networks of the proxies.
    The result is the rightmost address that is not a proxy's. The client may have written all
    entries to the left of it, so they prove nothing. A malformed entry ends the search.
    """
    nearest = _parse(peer)
    if nearest is None:
        return peer
    for entry in reversed(",".join(forwarded_for).split(",")):
        if not _is_within(nearest, trusted):
            break
        further = _parse(entry)
        if further is None:
            break
        nearest = further
    return str(nearest)


def is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """Return whether the peer of a connection is a trusted proxy. A Unix socket is not."""
    nearest = _parse(peer)
    return nearest is not None and _is_within(nearest, trusted)


def rate_key(address: str) -> str:
    """Return the key of `address` in limits: the address, or the /64 of an IPv6 address."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed), IPV6_PREFIX), strict=False))
    return address if parsed is None else str(parsed)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is loopback: 127.0.0.0/8, ::1 or localhost."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _parse(entry: str) -> Address | None:
    """Read `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]:443`, `fe80::1%eth0`."""
    text = entry.strip().partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped  # a dual-stack socket writes ::ffff:192.0.2.1
    return address
