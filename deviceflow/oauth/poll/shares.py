"""Whose polls share the places for held polls: those of one client at one address.

A held poll takes a place for up to half a minute, and anybody can start grants and hold polls of
them. So a share may take as many places as are left for others: alone, half of all; of two that
take what they can get, each has a third, and a third is free.

An IPv6 address counts as its /64. A proxy or a program of the host itself hides whose polls they
are, so these are in no share.
"""

from collections.abc import Sequence
from ipaddress import ip_network

from deviceflow.core.address import (
    LOOPBACK,
    Network,
    client_address,
    forwarded_for,
    is_trusted,
    peer_address,
    rate_key,
)

NO_SHARE = ""
"""The share of polls whose origin is not known. It has no limit."""


class PollShares:
    """Tells the share of a poll.

    `proxies`: those that are believed, and `header` the name in which they write an address:
    `x-forwarded-for` or `forwarded`.
    """

    def __init__(self, proxies: Sequence[str] = (), header: str = "x-forwarded-for") -> None:
        self._proxies: tuple[Network, ...] = tuple(map(ip_network, proxies))
        self._hides = (*LOOPBACK, *self._proxies)
        self._header = header.encode() + b":"
        self._is_forwarded = header == "forwarded"

    def of(self, address: str, client_id: str) -> str:
        """Return the share of a poll of a client from an address, as text."""
        if not address or is_trusted(address, self._hides):
            return NO_SHARE
        return f"{rate_key(address)} {client_id}"

    def of_request(self, peername: object, request: bytes, client_id: bytes) -> str:
        """Return the share of a poll that the lane has recognised.

        `peername`: what the transport says of the other end.
        """
        peer = peer_address(peername)
        if is_trusted(peer, self._proxies):
            peer = client_address(peer, self._entries(request), self._proxies)
        return self.of(peer, client_id.decode())

    def _entries(self, request: bytes) -> list[str]:
        head = request.partition(b"\r\n\r\n")[0]
        length = len(self._header)
        values = [
            line[length:].decode("latin-1").strip(" \t")
            for line in head.split(b"\r\n")
            if line[:length].lower() == self._header
        ]
        return forwarded_for(values) if self._is_forwarded else values
