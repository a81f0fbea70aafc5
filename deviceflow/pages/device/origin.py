"""Where a device is, beside where the person is (RFC 8628 5.4)."""

from dataclasses import dataclass
from ipaddress import ip_network
from typing import NamedTuple

from deviceflow.config import Server
from deviceflow.core.proximity import Distance, Whereabouts, is_within
from deviceflow.pages.whereabouts import find_place
from deviceflow.places import Place, Places


class Origin(NamedTuple):
    """Where a device is.

    `is_near`: whether it is in the person's own network; None if the addresses cannot tell.
    `other_country`: the person's country, if the device is in another one. `is_within`: whether it
    is no further away than the client allows; None if that is unknown.
    """

    address: str
    is_near: bool | None
    place: Place | None = None
    other_country: str = ""
    is_within: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Origins:
    """Compares the addresses of devices with those of people."""

    server: Server
    places: Places

    async def compare(
        self, address: str, visitor_address: str, distance: Distance = "address"
    ) -> Origin:
        """Say where `address` is, for the person at `visitor_address`."""
        device, person = Whereabouts(address), Whereabouts(visitor_address)
        proxies = [ip_network(network) for network in self.server.proxies]
        is_near = is_within("address", device, person, proxies)
        place = await find_place(self.places, address)
        if is_near is not False:
            # Then each distance has the same answer, and the person's country adds nothing.
            return Origin(address, is_near, place, is_within=is_near)
        own = await find_place(self.places, visitor_address) if place else None
        device = Whereabouts(address, place.country_code if place else "")
        person = Whereabouts(visitor_address, own.country_code if own else "")
        return Origin(
            address,
            is_near,
            place,
            own.country if own and device.country != person.country else "",
            is_within(distance, device, person, proxies),
        )
