"""Who sends a request, as far as our own proxies vouch for it (RFC 9700 4.13)."""

from collections.abc import Iterable
from ipaddress import ip_network

from aiohttp import web

from deviceflow.core.address import client_address, is_trusted


class Callers:
    """Knows our proxies: `trusted_proxies`, their networks as the settings have them."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._proxies = tuple(ip_network(network) for network in trusted_proxies)

    def address(self, request: web.Request) -> str:
        """Where `request` comes from, as text; empty over a Unix socket."""
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return client_address(request.remote or "", forwarded, self._proxies)

    def is_by_proxy(self, request: web.Request) -> bool:
        """Whether one of our proxies sends `request`, so that its headers may be believed."""
        return is_trusted(request.remote or "", self._proxies)
