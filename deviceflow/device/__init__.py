"""The device's side of RFC 8628: a client library and a terminal screen.

It works with any server that has metadata (RFC 8414, OIDC Discovery), and knows nothing of the
server in this package. It imports aiohttp, msgspec, segno and the standard library, and of
deviceflow only `core`. `answers.py` reads the answers and `schedule.py` paces the polls; both are
pure. `client.py` joins them to a connection, a clock and a sleep. `login.py` keeps the tokens in
a file (`token_file.py`) and refreshes them. `sync.py` is both without asyncio.

All errors are subclasses of `DeviceFlowError`. Text from a server is untrusted: it goes through
`printable` before it is shown. The `repr` of an object has no tokens and no device codes.
"""

from deviceflow.device.answers import DeviceAuthorization, Tokens
from deviceflow.device.client import DeviceClient
from deviceflow.device.errors import (
    AccessDenied,
    DeviceFlowError,
    DiscoveryError,
    ExpiredToken,
    InsecureAddressError,
    LoginRequired,
    MalformedAnswerError,
    ServerError,
    TokenFileError,
    UnavailableError,
    UnreachableError,
)
from deviceflow.device.events import Decided, Event, Pending, SlowDown, Unreachable
from deviceflow.device.login import DeviceLogin
from deviceflow.device.metadata import Metadata
from deviceflow.device.sync import SyncDeviceClient, SyncDeviceLogin

__all__ = [
    "AccessDenied",
    "Decided",
    "DeviceAuthorization",
    "DeviceClient",
    "DeviceFlowError",
    "DeviceLogin",
    "DiscoveryError",
    "Event",
    "ExpiredToken",
    "InsecureAddressError",
    "LoginRequired",
    "MalformedAnswerError",
    "Metadata",
    "Pending",
    "ServerError",
    "SlowDown",
    "SyncDeviceClient",
    "SyncDeviceLogin",
    "TokenFileError",
    "Tokens",
    "UnavailableError",
    "Unreachable",
    "UnreachableError",
]
