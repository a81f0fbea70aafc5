"""One worker: an event loop that answers on the sockets it was given."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import uvloop
from aiohttp import web

from deviceflow.app import Demo, Wired, answering_expectations, connect, wire
from deviceflow.config import Settings
from deviceflow.oauth.lane_connection import Door
from deviceflow.parts import Prepared

BACKLOG = 4096


class Equipment(NamedTuple):
    """What the supervisor hands to every worker."""

    settings: Settings
    redis_url: str
    prepared: Prepared
    pace_memory: memoryview
    demo: Demo | None


class Listening(NamedTuple):
    """The sockets of one worker; `lifeline` reads as ended when the supervisor has gone."""

    public: socket.socket
    admin: socket.socket
    lifeline: int


def run(equipment: Equipment, listening: Listening) -> None:
    """Serve until SIGTERM, or until the supervisor is gone."""
    # libuv would make a system call more for each connection (docs/performance.md).
    os.environ.setdefault("UV_USE_IO_URING", "0")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(equipment, listening))


async def _serve(equipment: Equipment, listening: Listening) -> None:
    settings = equipment.settings
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(listening.lifeline, stop.set)

    connection = connect(settings, equipment.redis_url)
    wired = wire(settings, connection, equipment.prepared, equipment.pace_memory, equipment.demo)
    admin = await _runner(wired.admin, settings)
    await web.SockSite(admin, listening.admin).start()
    public = await _runner(wired.public, settings)
    async with serving(wired, public, listening.public, settings):
        await stop.wait()
        loop.remove_reader(listening.lifeline)
    await admin.cleanup()


@asynccontextmanager
async def serving(
    wired: Wired, runner: web.AppRunner, sock: socket.socket, settings: Settings
) -> AsyncIterator[Door]:
    """Answer on `sock`, the lane before aiohttp; then finish what is in flight."""
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    runner.server.request_handler = answering_expectations(runner.server.request_handler)
    door = Door(
        wired.lane,
        wired.held,
        runner.server,
        lane_is_on=settings.server.lane,
        keepalive_s=settings.server.keepalive_s,
    )
    listener = await asyncio.get_running_loop().create_server(door, sock=sock, backlog=BACKLOG)
    sweeping = asyncio.create_task(door.sweep_regularly())
    try:
        yield door
    finally:
        listener.close()
        sweeping.cancel()
        await door.drain()
        await runner.cleanup()


async def _runner(app: web.Application, settings: Settings) -> web.AppRunner:
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=settings.server.keepalive_s,
        shutdown_timeout=settings.server.shutdown_s,
        handle_signals=False,
    )
    await runner.setup()
    return runner
