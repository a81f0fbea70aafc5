"""The announcements of held polls: which worker holds the newest poll of a grant.

A worker that holds a poll announces it to all workers, on a channel of its own. Redis delivers
the messages of a channel in one order, and a worker hears its own messages too. So every worker
knows which of two announcements came later, without a clock.

The announcements of `PAUSE_S` travel in one message. A worker sends at most 20 messages in a
second, however many polls it holds, and none while it holds no new ones.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import NamedTuple

from deviceflow.store import keyspace
from deviceflow.store.announcements import push
from deviceflow.store.connection import Connection
from deviceflow.tasks import end

PAUSE_S = 0.05
"""How long announcements are collected, in s. A person needs far longer to approve."""

NEVER = 0

OnOther = Callable[[int, int], None]
"""Called with a grant that another worker has announced, and this worker's last number."""


class HoldMessage(NamedTuple):
    """Announcement number `number` of `worker` (a random name): it holds polls of `grants`."""

    worker: str
    number: int
    grants: tuple[int, ...]

    @property
    def message(self) -> str:
        """The announcement as the channel carries it."""
        return " ".join((self.worker, f"{self.number:x}", *(f"{grant:x}" for grant in self.grants)))

    @classmethod
    def parse(cls, message: bytes) -> "HoldMessage | None":
        """Return the announcement in a message, or None if the message has another form."""
        try:
            worker, number, *grants = message.decode().split()
            return cls(worker, int(number, 16), tuple(int(grant, 16) for grant in grants))
        except ValueError:
            return None


class Holds:
    """Announces the held polls of one worker, and hears those of the others."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._worker = secrets.token_hex(8)
        self._number = 1
        self._heard = NEVER
        self._new: dict[int, None] = {}
        self._sending: asyncio.Task[None] | None = None
        self._closed = False
        self._on_other: OnOther | None = None

    def on_other(self, callback: OnOther) -> None:
        """Set what is called for each grant that another worker announces."""
        self._on_other = callback

    def announce(self, grant_id: int) -> int:
        """Announce the hold of a grant soon. Return the number of its announcement."""
        self._new[grant_id] = None
        if self._sending is None:
            self._start()
        return self._number

    def hear(self, message: bytes) -> None:
        """Take in a message of the channel."""
        announcement = HoldMessage.parse(message)
        if announcement is None:
            return
        if announcement.worker == self._worker:
            self._heard = announcement.number
        elif self._on_other is not None:
            for grant_id in announcement.grants:
                self._on_other(grant_id, self._heard)

    async def close(self) -> None:
        """Send nothing more."""
        self._closed = True
        if self._sending is not None:
            await end(self._sending)

    def _start(self) -> None:
        if not self._closed:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            await asyncio.sleep(PAUSE_S)
            announcement = HoldMessage(self._worker, self._number, tuple(self._new))
            self._new = {}
            self._number += 1
            # Without it, another worker's older hold ends by its own timer.
            await push(self._connection, announcement.message, channel=keyspace.HOLDS)
        finally:
            self._sending = None
            if self._new:
                self._start()
