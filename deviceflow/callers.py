"""The sender of a request, as far as trusted proxies vouch for it (RFC 9700 4.13)."""

from collections.abc import Iterable
from ipaddress import ip_network

from aiohttp import web

from deviceflow.core.address import client_address, is_trusted


class Callers:
    """The senders of requests. `trusted_proxies`: networks, as the settings have them."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._proxies = tuple(ip_network(network) for network in trusted_proxies)

    def address(self, request: web.Request) -> str:
        """Return the address of the sender, as text; empty on a Unix socket."""
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return client_address(request.remote or "", forwarded, self._proxies)

    def is_by_proxy(self, request: web.Request) -> bool:
        """Return whether a trusted proxy sends `request`, so that its headers may be believed."""
        return is_trusted(request.remote or "", self._proxies)
