"""The address that a request comes from, with or without proxies in between.

Limits are counted by address, so a client must not be able to choose its own. Entries of
`X-Forwarded-For` or `Forwarded` (RFC 7239) are believed only if a configured proxy wrote them (RFC
9700 4.13).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

IPV6_PREFIX = 64
"""Limits count a whole /64: a customer has at least that, so a new address for every guess."""

IPV6_SITE_PREFIX = 48
"""The network of a site (RFC 6177): its owner can use another /64 for every request."""

_REMEMBERED_LENGTH = 64
"""Longer entries are none of an address as it is written, and are not kept in memory."""

NETWORK_BITS = {4: 24, 6: IPV6_SITE_PREFIX}
"""What counts as one network, by the version of IP: an office, a household, a small provider."""

SHARED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.168.0.0/16", "::/127", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
"""Loopback, private and carrier networks: strangers have the same addresses in theirs."""

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

UNREADABLE = ""
"""What `forwarded_for` returns for an element without a readable address."""

# RFC 7239 4: forwarded-pair = token "=" ( token / quoted-string ). Proxies also write an address
# with a port, or an IPv6 address, without quotes.
_PAIR = r'[\w!#$%&\'*+.^`|~-]+=(?:"(?:[^"\\]|\\.)*"|[^\s",;\\=]+)'
_ELEMENT = rf"{_PAIR}(?:[ \t]*;[ \t]*{_PAIR})*"
_FORWARDED = re.compile(rf"{_ELEMENT}(?:[ \t]*,[ \t]*{_ELEMENT})*", re.ASCII)
_ONE_ELEMENT = re.compile(_ELEMENT, re.ASCII)
_FOR = re.compile(r'(?:^|;)[ \t]*for=("?)([^",;]*)\1(?=[ \t]*(?:;|$))', re.IGNORECASE | re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def forwarded_for(lines: Sequence[str]) -> list[str]:
    """Return the addresses in the `Forwarded` lines of a request, in order (RFC 7239 5.2).

    A line that is not well formed gives one UNREADABLE: a client may have left a quote open to the
    left of what a proxy added, so nothing in the line can be told apart. So does an element without
    an address (`for=unknown`, or no `for`).
    """
    entries: list[str] = []
    for line in lines:
        text = line.strip(" \t")
        if _FORWARDED.fullmatch(text):
            entries += [_for_of(found[0]) for found in _ONE_ELEMENT.finditer(text)]
        else:
            entries.append(UNREADABLE)
    return entries


def _for_of(element: str) -> str:
    # A quoted value of another parameter may hold anything, such as `;for=`.
    others = _QUOTED.sub(lambda quoted: quoted[0] if _is_plain(quoted[0]) else '"-"', element)
    found = _FOR.findall(others)
    return found[0][1] if len(found) == 1 else UNREADABLE


def _is_plain(quoted: str) -> bool:
    return re.fullmatch(r'"[\w.:\[\]%-]*"', quoted, re.ASCII) is not None


def is_shared(address: str) -> bool:
    """Return whether `address` says nothing of where somebody is: loopback, private, unreadable."""
    parsed = _parse(address)
    return parsed is None or _is_within(parsed, SHARED)


def client_address(peer: str, entries: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return the address that a request comes from, as text.

    `peer` is the other end of the connection (empty on a Unix socket), `entries` the
    values of the `X-Forwarded-For` lines in their order (or what the function `forwarded_for`
    returns), `trusted` the networks of the proxies.
    The result is the rightmost address that is not a proxy's. The client may have written all
    entries to the left of it, so they prove nothing. A malformed entry ends the search.
    """
    if not entries:
        return _written(peer)
    nearest = _parse(peer)
    if nearest is None:
        return peer
    for entry in reversed(",".join(entries).split(",")):
        if not _is_within(nearest, trusted):
            break
        further = _parse(entry)
        if further is None:
            break
        nearest = further
    return str(nearest)


@lru_cache(maxsize=4096)
def _written(peer: str) -> str:
    """Return an address as it is written everywhere; other text as it is."""
    return str(_parse(peer) or peer)


def peer_address(peername: object) -> str:
    """Return the address in what a transport says of the other end; empty on a Unix socket."""
    return str(peername[0]) if isinstance(peername, tuple) else ""


def is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """Return whether the peer of a connection is a trusted proxy. A Unix socket is not."""
    nearest = _parse(peer)
    return nearest is not None and _is_within(nearest, trusted)


def rate_key(address: str) -> str:
    """Return the key of `address` in limits: the address, or the /64 of an IPv6 address."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed), IPV6_PREFIX), strict=False))
    return _written(address)


def network_key(address: str) -> str:
    """Return the network around `address`: a /24 of IPv4, a /48 of IPv6; other text as it is."""
    parsed = _parse(address)
    if parsed is None:
        return address
    return str(ip_network(f"{parsed}/{NETWORK_BITS[parsed.version]}", strict=False))


def is_network(text: str) -> bool:
    """Return whether `text` is a network or an address, with no bits set behind its prefix."""
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def is_in_networks(address: str, networks: Sequence[str]) -> bool:
    """Return whether `address` is in one of `networks`, each of which `is_network`.

    An address that cannot be read, such as that of a Unix socket, is in none.
    """
    parsed = _parse(address)
    return parsed is not None and _is_within(parsed, [_network(text) for text in networks])


def site_key(address: str) -> str | None:
    """Return the /48 of an IPv6 address, the least that a site has; None for an IPv4 address.

    A site has 65,536 networks of the size that `rate_key` names.
    """
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed), IPV6_SITE_PREFIX), strict=False))
    return None


def is_address(host: str) -> bool:
    """Return whether the host of a URL, without brackets, is an address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is loopback: 127.0.0.0/8, ::1 or localhost."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@lru_cache(maxsize=4096)
def _network(text: str) -> Network:
    return ip_network(text)


def _is_within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _parse(entry: str) -> Address | None:
    """Read `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]:443`, `fe80::1%eth0`."""
    return _read(entry) if len(entry) <= _REMEMBERED_LENGTH else _read_anew(entry)


def _read_anew(entry: str) -> Address | None:
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


_read = lru_cache(maxsize=4096)(_read_anew)
