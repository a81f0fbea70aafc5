"""Where a device is, beside where the person is (RFC 8628 5.4)."""

import asyncio
from dataclasses import dataclass
from ipaddress import ip_network
from typing import NamedTuple

from deviceflow.config import Server
from deviceflow.core.address import is_shared, is_trusted, rate_key
from deviceflow.places import Place, Places


class Origin(NamedTuple):
    """Where a device is.

    `is_near`: whether it is in the person's own network; None if the addresses cannot tell.
    `other_country`: the person's country, if the device is in another one.
    """

    address: str
    is_near: bool | None
    place: Place | None = None
    other_country: str = ""


@dataclass(frozen=True, kw_only=True)
class Origins:
    """Compares the addresses of devices with those of people."""

    server: Server
    places: Places

    async def compare(self, address: str, visitor_address: str) -> Origin:
        """Say where `address` is, for the person at `visitor_address`."""
        is_near = _is_near(address, visitor_address, self.server)
        if not self.places.are_known:
            return Origin(address, is_near)
        place = await asyncio.to_thread(self.places.find, address)
        if place is None or is_near is not False:
            return Origin(address, is_near, place)
        own = await asyncio.to_thread(self.places.find, visitor_address)
        is_abroad = own is not None and own.country_code != place.country_code
        return Origin(address, is_near, place, own.country if own and is_abroad else "")


def _is_near(address: str, visitor_address: str, server: Server) -> bool | None:
    """Return whether two addresses are of one network; None if that cannot be told.

    The network of a loopback or private address, or of a proxy that hides what is behind it, is
    not "the network you are on": a stranger's device may have the same.
    """
    if not address or not visitor_address:
        return None
    proxies = [ip_network(network) for network in server.proxies]
    if all(is_shared(each) or is_trusted(each, proxies) for each in (address, visitor_address)):
        return None
    return rate_key(address) == rate_key(visitor_address)
