"""The door: all connections of one worker, from the first to the last."""

import asyncio
import sys
from collections.abc import Callable

from aiohttp import web

from deviceflow.oauth.poll.aiohttp_protocol import AiohttpProtocol, aiohttp_protocol
from deviceflow.oauth.poll.connection import LaneConnection
from deviceflow.oauth.poll.held import HeldPolls
from deviceflow.oauth.poll.lane import Lane, LaneResult
from deviceflow.oauth.poll.later import LaterLane, NoLaterLane, TakeLater
from deviceflow.oauth.poll.open_connections import (
    NOTHING_SENT,
    SILENT_S,
    CloseCause,
    OpenConnections,
    OpenLimits,
)
from deviceflow.oauth.poll.oversize import AnswerOversize, answer_machine

REQUEST_TIMEOUT_S = 30.0
SWEEPS = 4
LOOK_S = 1.0
DRAIN_S = 0.05

NO_LIMITS = OpenLimits.of(sys.maxsize, 0, lambda _: True)


class Door:
    """Makes the connections of one worker, closes idle ones, and drains them at the end.

    `listener` accepts them. `is_retiring`: another worker has taken the socket over, and every
    connection ends after its next answer. `later`: the lane of requests that ask the store.
    """

    listener: asyncio.Server

    def __init__(
        self,
        lane: Lane,
        held: HeldPolls,
        server: web.Server,
        *,
        lane_is_on: bool,
        keepalive_s: float,
        answer_oversize: AnswerOversize = answer_machine,
        limits: OpenLimits = NO_LIMITS,
        later: LaterLane | None = None,
    ) -> None:
        self.take: Callable[[bytes], LaneResult] = lane.take if lane_is_on else _take_nothing
        self._later: LaterLane = later if later and lane_is_on else NoLaterLane()
        self.take_later: TakeLater = self._later.take
        self.answer = lane.answer
        self.held = held
        self.connections = OpenConnections(limits)
        self.is_retiring = False
        self._server = server
        self._keepalive_s = keepalive_s
        self._answer_oversize = answer_oversize

    def __call__(self) -> LaneConnection:
        """Make the protocol of a new connection."""
        return LaneConnection(self)

    def make_aiohttp(self) -> AiohttpProtocol:
        """Make aiohttp's protocol for a connection that needs it."""
        return aiohttp_protocol(self._server, self._answer_oversize)

    async def sweep_regularly(self) -> None:
        """Close what has been idle or stuck for too long, until cancelled."""
        period = min(self._keepalive_s, REQUEST_TIMEOUT_S) / SWEEPS
        tick = min(LOOK_S, period)
        ticks_per_sweep = round(period / tick)
        while True:
            for _ in range(ticks_per_sweep):
                await asyncio.sleep(tick)
                self.connections.tick(tick, min(SILENT_S, self._keepalive_s))
            self.sweep(ticks_per_sweep * tick)

    def sweep(self, period: float) -> None:
        """Look at every connection that has sent something; `period` s ago was the last time."""
        for connection in self.connections:
            if connection.quiet == NOTHING_SENT:
                continue
            connection.quiet = connection.quiet + 1 if connection.is_idle() else 0
            connection.stuck = connection.stuck + 1 if connection.is_stuck() else 0
            if connection.stuck * period > REQUEST_TIMEOUT_S:
                self.connections.close(connection, CloseCause.UNFINISHED)
            elif connection.quiet * period > self._keepalive_s:
                if not connection.transport.is_closing():
                    self.connections.closed[CloseCause.IDLE] += 1
                connection.transport.close()

    async def retire(self) -> None:
        """Answer held polls, and end every connection after its next answer; wait for the last.

        A connection that is merely closed may cost a request: its client may be sending one at
        this moment. So the client has its answer first, and learns from it to open another one.
        """
        self.is_retiring = True
        self.take = self.take_later = _take_nothing
        self.held.drop_all()
        # What had been accepted before the socket was closed becomes a connection in this time.
        await asyncio.sleep(DRAIN_S)
        while self.connections:  # noqa: ASYNC110, they end one by one
            await asyncio.sleep(DRAIN_S)

    async def drain(self) -> None:
        """Answer held polls and close idle connections; aiohttp drains its own after that."""
        self.held.drop_all()
        # What had arrived before the socket was closed is still answered.
        await asyncio.sleep(DRAIN_S)
        self.take_later = _take_nothing
        await self._later.finish()
        for connection in self.connections:
            if connection.is_idle() or connection.is_lane_only():
                connection.transport.close()


def _take_nothing(*_: object) -> None:
    return None
