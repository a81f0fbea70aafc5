"""A subscriber: it hears one channel, and renews its connection when that breaks.

A connection can be lost without an error. So after some silence the subscriber asks the store for
an answer, and subscribes again if none comes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.asyncio.client import PubSub

from deviceflow.store.announcements import CONSEQUENCES
from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable

SILENCE_S = 15.0
"""How long a channel may be silent before the store is asked for an answer."""

_PONG_S = 5.0
"""How long that answer may take."""

_BEGINS = frozenset({"subscribe", "ssubscribe"})
_MESSAGES = frozenset({"message", "smessage"})
# The store ends a subscription by itself when the hash slot of the channel moves.
_ENDS = frozenset({"unsubscribe", "sunsubscribe"})

log = structlog.get_logger()


async def _nothing() -> None:
    return None


@dataclass(kw_only=True)
class Subscriber:
    """Hears `channel` while `run` runs.

    `hear` takes each message. `on_begin` is called when a subscription has begun: what was sent
    before was not heard. `pause_s`: before another attempt. `hears`: whether messages come.
    """

    connection: Connection
    channel: str
    hear: Callable[[bytes], Awaitable[None]]
    on_begin: Callable[[], Awaitable[None]] = _nothing
    pause_s: float
    silence_s: float = SILENCE_S

    hears: bool = field(default=False, init=False)
    _refused: str = field(default="", init=False)
    _current: asyncio.Timeout | None = field(default=None, init=False)

    async def run(self) -> None:
        """Hear the channel until cancelled."""
        while True:
            try:
                await self._hear_once()
            except StoreUnavailable as error:
                if str(error) == "NOPERM":
                    # A user without the right to this channel: it stays so, so log it once.
                    self._note_refused(str(error.__cause__))
            except Exception:
                log.exception("feed.failed")
            self.hears = False
            await asyncio.sleep(self.pause_s)

    def renew(self) -> None:
        """Subscribe anew: the subscription may lead to the wrong server."""
        if self._current is not None:
            self._current.reschedule(asyncio.get_running_loop().time())

    async def _hear_once(self) -> None:
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(None) as self._current,
                self.connection.subscription(self.channel) as pubsub,
            ):
                async for message in self._messages(pubsub):
                    if message["type"] in _BEGINS:
                        self._refused = ""
                        self.hears = True
                        await self.on_begin()
                    elif message["type"] in _MESSAGES:
                        await self.hear(message["data"])
                    elif message["type"] in _ENDS:
                        return

    async def _messages(self, pubsub: PubSub) -> AsyncIterator[dict[str, Any]]:
        is_asked = False
        while True:
            wait_s = _PONG_S if is_asked else self.silence_s
            message = await pubsub.get_message(timeout=wait_s)
            if message is not None:
                is_asked = False
                yield message
            elif is_asked:
                raise StoreUnavailable("silent")
            else:
                is_asked = True
                await pubsub.ping()

    def _note_refused(self, reason: str) -> None:
        if reason != self._refused:
            self._refused = reason
            log.warning(
                "store.subscription_refused",
                channel=self.channel,
                reason=reason,
                consequence=CONSEQUENCES[self.channel],
            )
