"""One worker: an event loop that answers on the sockets it was given."""

import asyncio
import signal
import socket
from typing import NamedTuple

import uvloop
from aiohttp import web

from deviceflow.app import Demo, Prepared, connect, wire
from deviceflow.config import Settings


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
    runners = [
        await _start(wired.admin, listening.admin, settings),
        await _start(wired.public, listening.public, settings),
    ]
    await stop.wait()
    loop.remove_reader(listening.lifeline)
    for runner in reversed(runners):
        await runner.cleanup()


async def _start(app: web.Application, sock: socket.socket, settings: Settings) -> web.AppRunner:
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=settings.server.keepalive_s,
        shutdown_timeout=settings.server.shutdown_s,
        handle_signals=False,
    )
    await runner.setup()
    await web.SockSite(runner, sock, backlog=1024).start()
    return runner
