"""A worker: a process with an event loop, which serves on the sockets of the supervisor."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import uvloop
from aiohttp import web

from deviceflow.app import Apps, build
from deviceflow.config import Server, Settings
from deviceflow.middleware import answering_expectations
from deviceflow.oauth.poll.door import Door
from deviceflow.pages.demo import Demo
from deviceflow.parts import Secrets
from deviceflow.start import connect

ACCEPT_BACKLOG = 4096


class WorkerContext(NamedTuple):
    """What every worker receives from the supervisor."""

    settings: Settings
    redis_url: str
    secrets: Secrets
    pace_memory: memoryview
    demo: Demo | None


class Sockets(NamedTuple):
    """The listening sockets of a worker. They outlive it: the next worker takes them over."""

    public: socket.socket
    admin: socket.socket


def run(context: WorkerContext, sockets: Sockets, lifeline: int) -> None:
    """Serve until SIGTERM, or until the supervisor is gone.

    `lifeline`: the reading end of a pipe that the supervisor holds open. It becomes readable
    when the supervisor ends, however it ends.
    """
    # With io_uring, libuv makes one more system call for each connection (docs/performance.md).
    os.environ.setdefault("UV_USE_IO_URING", "0")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(context, sockets, lifeline))


async def _serve(context: WorkerContext, sockets: Sockets, lifeline: int) -> None:
    settings = context.settings
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(lifeline, stop.set)

    apps = build(
        settings,
        connect(settings, context.redis_url),
        context.secrets,
        context.pace_memory,
        clock=time.time,
        demo=context.demo,
    )
    admin = await open_runner(apps.admin, settings.server)
    await web.SockSite(admin, sockets.admin).start()
    public = await open_runner(apps.public, settings.server)
    async with serving(apps, public, sockets.public):
        await stop.wait()
        loop.remove_reader(lifeline)
    await admin.cleanup()


@asynccontextmanager
async def serving(
    apps: Apps, runner: web.AppRunner, sock: socket.socket, make_door: type[Door] = Door
) -> AsyncIterator[Door]:
    """Serve on `sock`: the lane first, then aiohttp. At the end, finish the open requests."""
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    runner.server.request_handler = answering_expectations(runner.server.request_handler)
    server = apps.parts.settings.server
    door = make_door(
        apps.polls.lane,
        apps.polls.held,
        runner.server,
        lane_is_on=server.lane,
        keepalive_s=server.keepalive_s,
    )
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(door, sock=sock, backlog=ACCEPT_BACKLOG)
    sweeping = asyncio.create_task(door.sweep_regularly())
    try:
        yield door
    finally:
        listener.close()
        sweeping.cancel()
        await door.drain()
        await runner.cleanup()


async def open_runner(app: web.Application, server: Server) -> web.AppRunner:
    """Set up aiohttp's runner for `app`."""
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=server.keepalive_s,
        shutdown_timeout=server.shutdown_s,
        handle_signals=False,
    )
    await runner.setup()
    return runner
