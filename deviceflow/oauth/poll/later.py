"""A request that another lane has read, and answers later: what a connection knows of it.

The store has to be asked before it is answered. Which requests these are, and what their answers
say, is not known in this room.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol


class IncompleteRequest(NamedTuple):
    """A request of which `missing` bytes have not arrived yet."""

    missing: int


Write = Callable[[bool], bytes]
"""Writes an answer; with True, the answer says that the connection ends after it."""

Answered = Callable[[Write], None]
"""Called once, with the answer; also where the client has gone meanwhile."""


class LaterAnswer(Protocol):
    """A request that was taken. `close`: the client wants the connection to end after it."""

    close: bool

    def begin(self, answered: Answered) -> None:
        """Work on the answer. `answered` is not called before this returns."""


TakeLater = Callable[[bytes, object], LaterAnswer | IncompleteRequest | None]
"""Reads the first bytes after a finished request; None leaves them to aiohttp.

The second argument is what the transport says of the other end.
"""


class LaterLane(Protocol):
    """The lane that takes such requests."""

    def take(self, data: bytes, peername: object) -> LaterAnswer | IncompleteRequest | None:
        """Read `data` as `TakeLater` does."""

    async def finish(self) -> None:
        """Wait until all that was taken is answered, for as long as a stop of the server may."""


class NoLaterLane:
    """Takes nothing."""

    def take(self, data: bytes, peername: object) -> None:  # noqa: ARG002, the protocol's
        """Leave everything to aiohttp."""
        return

    async def finish(self) -> None:
        """There is nothing to wait for."""
