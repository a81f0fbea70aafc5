"""How near a device is to the person who approves, as far as their addresses tell.

Three distances, each within the next: the same address (an IPv4 address, or the /64 of an IPv6
address), the same network (a /24 or a /48), the same country. What lies beyond the distance of a
client has one of four answers.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from deviceflow.core.address import Network, is_shared, is_trusted, network_key, rate_key

Distance = Literal["address", "network", "country"]

FarAnswer = Literal["show", "retype", "step_up", "refuse"]
"""What follows if a device is too far away: the page asks "Is the device in front of you?", the
person types the code once more, signs in afresh with a second factor, or cannot approve at all.
"""


class Whereabouts(NamedTuple):
    """Where somebody is. `country`: its code (ISO 3166-1), empty if it is not known."""

    address: str
    country: str = ""


def is_within(
    distance: Distance, device: Whereabouts, person: Whereabouts, proxies: Sequence[Network] = ()
) -> bool | None:
    """Return whether two are no further apart than `distance`; None if that cannot be told.

    A loopback or private address, or that of a proxy which hides what is behind it, may be a
    stranger's too. Where both have such an address, nothing is known. An IPv4 and an IPv6 address
    have no network in common, even in one household.
    """
    addresses = (device.address, person.address)
    hidden = (is_shared(each) or is_trusted(each, proxies) for each in addresses)
    if not all(addresses) or all(hidden):
        return None
    # The same address is always of the same network, and of the same country.
    key = rate_key if distance == "address" else network_key
    if key(device.address) == key(person.address):
        return True
    if distance != "country":
        return False
    if not (device.country and person.country):
        return None
    return device.country == person.country


def answer_to(answer: FarAnswer, *, is_near: bool | None) -> FarAnswer | None:
    """Return what follows for a device, None if nothing does.

    A device of which nothing is known counts as far away for every answer but a question: what
    cannot be shown to be near must not pass for near.
    """
    if is_near or (is_near is None and answer == "show"):
        return None
    return answer
