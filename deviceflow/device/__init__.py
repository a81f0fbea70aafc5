"""The device's side of RFC 8628: a client library and a terminal screen.

It speaks to any server through its metadata (RFC 8414, OIDC Discovery) and knows nothing of this
one. Imports aiohttp, msgspec, segno and the standard library, nothing else of deviceflow but
`core`. What a server says is judged in `answers.py` and paced in `schedule.py`, both pure;
`client.py` joins them to a connection, a clock and a sleep.

Everything here raises `DeviceFlowError` or one of its subclasses. Text from a server is untrusted:
whatever shows it passes it through `printable`. Representations of these objects leave out tokens
and device codes.
"""

from deviceflow.device.answers import DeviceAuthorization, Tokens
from deviceflow.device.client import DeviceClient
from deviceflow.device.errors import (
    AccessDenied,
    DeviceFlowError,
    DiscoveryError,
    ExpiredToken,
    InsecureAddressError,
    MalformedAnswerError,
    ServerError,
    UnavailableError,
    UnreachableError,
)
from deviceflow.device.events import Decided, Event, Pending, SlowDown, Unreachable
from deviceflow.device.metadata import Metadata

__all__ = [
    "AccessDenied",
    "Decided",
    "DeviceAuthorization",
    "DeviceClient",
    "DeviceFlowError",
    "DiscoveryError",
    "Event",
    "ExpiredToken",
    "InsecureAddressError",
    "MalformedAnswerError",
    "Metadata",
    "Pending",
    "ServerError",
    "SlowDown",
    "Tokens",
    "UnavailableError",
    "Unreachable",
    "UnreachableError",
]
