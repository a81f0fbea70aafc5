"""The sender of a request, as far as trusted proxies vouch for it (RFC 9700 4.13)."""

import time
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from typing import Literal

import structlog
from aiohttp import web

from deviceflow.core.address import client_address, forwarded_for, is_trusted
from deviceflow.core.clock import Clock

ForwardedHeader = Literal["x-forwarded-for", "forwarded"]

WARN_EVERY_S = 600
"""The pause between two log lines about ignored headers, in s: any sender can send them."""

log = structlog.get_logger()


def has_hung_up(request: web.Request) -> bool:
    """Return whether the sender has probably gone: it has closed its end of the connection.

    It may still read the answer (RFC 9112 9.6), but browsers and proxies that close an end have
    gone. So drop what is expensive and has not begun, and answer all else.
    """
    transport = request.transport
    is_closed = transport is None or transport.is_closing()
    return is_closed or bool(getattr(request.protocol, "client_has_ended", False))


def media_type(request: web.Request) -> str:
    """Return the media type of the body, in lower case, without its parameters (RFC 9110 8.3.1).

    aiohttp's own reader takes quadratic time: a header of 8 kB would hold the worker for 0.2 s.
    """
    return request.headers.get("Content-Type", "").partition(";")[0].strip(" \t").lower()


class Callers:
    """The senders of requests.

    `trusted_proxies`: networks. `header`: the only header that is believed. A proxy that writes
    the one may pass on the other as the client sent it. `warns`: False where the operator has
    said that no proxy hides an address ("none"): then such a header is no sign of a mistake.
    """

    def __init__(
        self,
        trusted_proxies: Iterable[str],
        header: ForwardedHeader = "x-forwarded-for",
        clock: Clock = time.monotonic,
        *,
        warns: bool = True,
    ) -> None:
        self._proxies = tuple(ip_network(network) for network in trusted_proxies)
        self.header = header
        self._clock = clock
        self._warns = warns
        self._warned_at = -float("inf")

    def address(self, request: web.Request) -> str:
        """Return the address of the sender, as text; empty on a Unix socket."""
        return self.address_behind(request.remote or "", request.headers.getall(self.header, []))

    def address_behind(self, peer: str, lines: Sequence[str]) -> str:
        """Do the same from plain values: the address of the connection, and the lines of `header`.

        `peer` is empty on a Unix socket.
        """
        if lines and self._warns and not self.is_proxy(peer):
            self._warn(peer)
        entries = forwarded_for(lines) if self.header == "forwarded" else lines
        return client_address(peer, entries, self._proxies)

    def is_by_proxy(self, request: web.Request) -> bool:
        """Return whether a trusted proxy sends `request`, so that its headers may be believed."""
        return self.is_proxy(request.remote or "")

    def is_proxy(self, peer: str) -> bool:
        """Return whether the address of a connection is that of a trusted proxy."""
        return bool(self._proxies) and is_trusted(peer, self._proxies)

    def _warn(self, peer: str) -> None:
        now = self._clock()
        if now - self._warned_at < WARN_EVERY_S:
            return
        self._warned_at = now
        log.warning(
            "forwarding_header.ignored",
            peer=peer or "a Unix socket",
            header=self.header,
            reason="the peer is not in server.trusted_proxies, so its own address counts",
            remedy="if it is your proxy, add it; otherwise a client has made the header up",
        )
