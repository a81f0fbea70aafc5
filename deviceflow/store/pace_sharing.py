"""The sharing of the pace between hosts: `core/pace_gossip.py` over a channel of the store.

One process of a host tells for all its workers, since they share one pace table. A host that is
alone sends a message of 13 bytes once a second, and does not look at its table.
"""

import asyncio
import secrets
from collections.abc import Iterator
from itertools import islice

import structlog

from deviceflow.core.clock import SteadyClock
from deviceflow.core.pace_gossip import MAX_REPORTS, PaceGossip, PaceMessage, PaceReport
from deviceflow.store import keyspace
from deviceflow.store.announcements import push
from deviceflow.store.connection import Connection
from deviceflow.store.subscriber import Subscriber
from deviceflow.tasks import run_together

TELL_EVERY_S = 0.25
"""How often a host tells of its polls, in s. For so long another host may know nothing of them."""

GREET_EVERY_S = 1.0
"""How often a host that has nothing to tell says that it is there, in s."""

GONE_AFTER_S = 5.0
"""After how long without a message a host counts as gone, in s."""

log = structlog.get_logger()


class PaceSharing:
    """Shares one host's pace with the others while `run` runs.

    `hosts`: the other hosts that are there, by their random names, and when each was last heard.
    """

    def __init__(self, connection: Connection, gossip: PaceGossip, steady: SteadyClock) -> None:
        self._connection = connection
        self._gossip = gossip
        self._steady = steady
        self._subscriber = Subscriber(
            connection=connection, channel=keyspace.PACE, hear=self._hear, pause_s=TELL_EVERY_S
        )
        self._name = secrets.token_bytes(8)
        self._last_told = -GREET_EVERY_S
        self._warned_of: set[bytes] = set()
        self.hosts: dict[bytes, float] = {}

    async def run(self) -> None:
        """Tell and listen until cancelled."""
        await run_together(self._subscriber.run(), self._tell_regularly())

    async def tell(self) -> None:
        """Tell the other hosts what is new, or that this host is there."""
        now = self._steady()
        self._note_gone(now)
        reports = self._gossip.reports(_ms(now)) if self.hosts else iter(())
        for batch in _batches(reports):
            await self._send(batch)
            self._last_told = now
        if now - self._last_told >= GREET_EVERY_S:
            await self._send(())
            self._last_told = now
            self._gossip.forget(_ms(now))

    def hear(self, data: bytes) -> None:
        """Take in a message of the channel."""
        message = PaceMessage.decode(data)
        if message is None or message.host == self._name:
            return
        if message.slots != self._gossip.slots:
            self._warn(message)
            return
        now = self._steady()
        if message.host not in self.hosts:
            log.info("pace.host_joined", hosts=len(self.hosts) + 2)
            self._gossip.tell_again()
        self.hosts[message.host] = now
        self._gossip.take(message.reports, _ms(now))

    async def _send(self, reports: tuple[PaceReport, ...]) -> None:
        message = PaceMessage(self._name, self._gossip.slots, reports)
        await push(self._connection, message.encode(), channel=keyspace.PACE)

    async def _tell_regularly(self) -> None:
        while True:
            await self.tell()
            await asyncio.sleep(TELL_EVERY_S)

    async def _hear(self, data: bytes) -> None:
        self.hear(data)

    def _note_gone(self, now: float) -> None:
        for host, heard in list(self.hosts.items()):
            if now - heard > GONE_AFTER_S:
                del self.hosts[host]
                log.info("pace.host_left", hosts=len(self.hosts) + 1)

    def _warn(self, message: PaceMessage) -> None:
        if message.host not in self._warned_of:
            self._warned_of.add(message.host)
            log.warning(
                "pace.not_shared",
                reason="another host has another device.pace_slots",
                own=self._gossip.slots,
                other=message.slots,
            )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _batches(reports: Iterator[PaceReport]) -> Iterator[tuple[PaceReport, ...]]:
    while batch := tuple(islice(reports, MAX_REPORTS)):
        yield batch
