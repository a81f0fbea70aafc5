"""A worker: a process with an event loop, which serves on the sockets of the supervisor."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import NamedTuple

import uvloop
from aiohttp import web

from deviceflow.app import Apps, build
from deviceflow.config import Server, Settings
from deviceflow.middleware import answering_expectations, answering_oversize
from deviceflow.oauth.poll.door import Door
from deviceflow.ops.logging import TAPS
from deviceflow.ops.metrics.memory import MetricsMemory
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.demo import Demo
from deviceflow.parts import Secrets
from deviceflow.start import connect

ACCEPT_BACKLOG = 4096

# A device that lost its power or its network sends no FIN, and its held poll would wait for a
# decision that it cannot hear. So a peer that answers nothing is given up after 20 s, within the
# 30 s for which a poll is held by default. That is more than a change of cell or of access point
# takes. The probes are three small packets for a connection on which nothing is sent.
PROBE_AFTER_S = 10
PROBE_EVERY_S = 5
PROBES = 2
UNACKNOWLEDGED_MS = 20_000


class WorkerContext(NamedTuple):
    """What every worker receives from the supervisor."""

    settings: Settings
    redis_url: str
    secrets: Secrets
    pace_memory: memoryview
    metrics: MetricsMemory
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
        steady=time.monotonic,
        demo=context.demo,
        recorder=Recorder(context.metrics),
    )
    admin = await open_runner(apps.admin, settings.server)
    await web.SockSite(admin, sockets.admin).start()
    public = await open_runner(apps.public, settings.server)
    async with serving(apps, public, sockets.public), tracing(settings):
        await stop.wait()
        loop.remove_reader(lifeline)
    await admin.cleanup()


@asynccontextmanager
async def tracing(settings: Settings) -> AsyncIterator[None]:
    """Make traces of grants meanwhile, if the settings say so."""
    if not settings.tracing.enabled:
        yield
        return
    # OpenTelemetry is an extra, and it begins a thread, which the supervisor must not have.
    traces = import_module("deviceflow.ops.tracing").GrantTraces()
    TAPS.append(traces.note)
    try:
        yield
    finally:
        TAPS.remove(traces.note)
        await asyncio.to_thread(traces.close)


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
        answer_oversize=answering_oversize(apps.public),
    )
    apps.connections.counted_by = door.connections.__len__
    _notice_dead_peers(sock)
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


def _notice_dead_peers(sock: socket.socket) -> None:
    """Have dead peers noticed on the connections that `sock` accepts.

    They inherit these options from the listening socket, so none of them costs a system call for
    each connection. A platform that lacks one does without it; macOS has no TCP_USER_TIMEOUT.
    """
    if sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", PROBE_AFTER_S),
        ("TCP_KEEPINTVL", PROBE_EVERY_S),
        ("TCP_KEEPCNT", PROBES),
        ("TCP_USER_TIMEOUT", UNACKNOWLEDGED_MS),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


async def open_runner(app: web.Application, server: Server) -> web.AppRunner:
    """Set up aiohttp's runner for `app`."""
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=server.keepalive_s,
        shutdown_timeout=server.shutdown_s,
        handle_signals=False,
        auto_decompress=False,
    )
    await runner.setup()
    return runner
