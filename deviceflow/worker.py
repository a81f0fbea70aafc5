"""A worker: a process with an event loop, which serves on the sockets of the supervisor."""

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from ipaddress import ip_network
from typing import NamedTuple

import uvloop
from aiohttp import web

from deviceflow.admin.tokens import AdminTokens
from deviceflow.app import Apps, build
from deviceflow.audit.opening import open_sinks
from deviceflow.config import Server, Settings
from deviceflow.core.address import LOOPBACK, is_trusted
from deviceflow.middleware import answering_expectations, answering_oversize, ending_connections
from deviceflow.oauth.cors import cors
from deviceflow.oauth.poll.door import Door
from deviceflow.oauth.poll.open_connections import OpenLimits
from deviceflow.ops import logging
from deviceflow.ops.metrics.memory import MetricsMemory
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.status_board import Phase, StatusBoard, StatusCell
from deviceflow.orders import Order, Report, WorkerLine, listening
from deviceflow.pages.demo import Demo
from deviceflow.parts import Secrets
from deviceflow.store.opening import connect

ACCEPT_BACKLOG = 4096
RESERVED_DESCRIPTORS = 256
"""The descriptors that a worker needs for other things than connections: up to 64 connections to
the store, files, and what is accepted in one turn of the event loop before the door sees it."""

"""This host may have any number of connections: a proxy on it may not be in the settings."""

BEAT_S = 0.25

NEW_OBJECTS = 20_000
"""How many more objects there must be before Python looks for those that only know each other."""

RETIRE_S = 20.0
"""How long a worker that is replaced waits for the next request of a connection that is kept: a few
polls of a device that polls every 5 s."""

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
    board: StatusBoard
    demo: Demo | None
    admin_tokens: AdminTokens | None = None


class Sockets(NamedTuple):
    """The listening sockets of a worker. They outlive it: the next worker takes them over."""

    public: socket.socket
    admin: socket.socket


class Post(NamedTuple):
    """The place of one worker: its sockets, its line to the supervisor, its cell on the board."""

    sockets: Sockets
    line: socket.socket
    cell: int


def run(context: WorkerContext, post: Post) -> None:
    """Serve until SIGTERM, until another worker takes over, or until the supervisor is gone."""
    # A reload may have changed them.
    log = context.settings.log
    logging.configure(log.level, log.format, log.addresses)
    # With io_uring, libuv makes one more system call for each connection (docs/performance.md).
    os.environ.setdefault("UV_USE_IO_URING", "0")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(context, post))


class Runners(NamedTuple):
    """What serves the two applications of a worker."""

    public: web.AppRunner
    admin: web.AppRunner


async def _work(context: WorkerContext, post: Post) -> None:
    settings, cell = context.settings, context.board.cell(post.cell)
    apps = build(
        settings,
        connect(settings, context.redis_url),
        context.secrets,
        context.pace_memory,
        clock=time.time,
        steady=time.monotonic,
        demo=context.demo,
        recorder=Recorder(context.metrics),
        board=context.board,
        admin_tokens=context.admin_tokens,
    )
    async with listening(post.line) as line:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, line.take, Order.STOP)
        beating = asyncio.create_task(_beat(apps, cell))
        admin = await open_runner(apps.admin, settings.server)
        await web.SockSite(admin, post.sockets.admin).start()
        public = await open_runner(apps.public, settings.server)
        line.report(Report.PREPARED)
        await line.until(Order.SERVE, Order.STOP)
        if Order.SERVE in line.given:
            async with tracing(settings), auditing(apps):
                await _serve(apps, Runners(public, admin), post, cell, line)
        await admin.cleanup()
        beating.cancel()


async def _serve(
    apps: Apps, runners: Runners, post: Post, cell: StatusCell, line: WorkerLine
) -> None:
    async with serving(apps, runners.public, post.sockets.public) as door:
        cell.store = apps.parts.store_state
        _collect_less()
        cell.phase = Phase.SERVING
        line.report(Report.SERVING)
        await line.until(Order.RETIRE, Order.STOP)
        door.listener.close()
        if Order.STOP in line.given:
            cell.phase = Phase.RETIRING
            return
        # The admin port is the successor's at once: this worker knows the operators of before.
        for site in list(runners.admin.sites):
            await site.stop()
        # The supervisor waits for this: from here on, no connection comes to this worker.
        cell.phase = Phase.RETIRING
        await asyncio.gather(runners.admin.cleanup(), _retire(door, line))


def _collect_less() -> None:
    """Spare Python's garbage collector what is of no use here (docs/decisions/0056).

    What there is now lives as long as the worker, so it is never looked at again. And what a
    request leaves behind is freed without the collector, unless an exception is kept.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)


async def _retire(door: Door, line: WorkerLine) -> None:
    """End each connection after its next answer, for as long as clients may keep one idle."""
    tasks = {asyncio.create_task(door.retire()), asyncio.create_task(line.until(Order.STOP))}
    await asyncio.wait(tasks, timeout=RETIRE_S, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def _beat(apps: Apps, cell: StatusCell) -> None:
    """Show on the board that this event loop runs, and what it sees of the store."""
    while True:
        cell.store = apps.parts.store_state
        cell.beat()
        await asyncio.sleep(BEAT_S)


def connection_limits(server: Server) -> OpenLimits:
    """Return how many connections this process may have, and how many of them one address."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = sys.maxsize if descriptors < 0 else max(1, descriptors - RESERVED_DESCRIPTORS)
    exempt = (*LOOPBACK, *map(ip_network, server.proxies))
    return OpenLimits.of(
        most, server.max_connections_per_address, lambda peer: is_trusted(peer, exempt)
    )


@asynccontextmanager
async def tracing(settings: Settings) -> AsyncIterator[None]:
    """Make traces of grants meanwhile, if the settings say so."""
    if not settings.tracing.enabled:
        yield
        return
    # OpenTelemetry is an extra, and it begins a thread, which the supervisor must not have.
    traces = import_module("deviceflow.ops.tracing").GrantTraces()
    logging.TAPS.append(traces.note)
    try:
        yield
    finally:
        logging.TAPS.remove(traces.note)
        await asyncio.to_thread(traces.close)


@asynccontextmanager
async def auditing(apps: Apps) -> AsyncIterator[None]:
    """Send what is recorded to the sinks of the settings meanwhile."""
    parts = apps.parts
    sinks = open_sinks(parts.settings, parts.clock, parts.signer.sign)
    async with parts.audit.open(sinks.outlets(parts.recorder), sinks.last_place()):
        yield


@asynccontextmanager
async def serving(
    apps: Apps, runner: web.AppRunner, sock: socket.socket, make_door: type[Door] = Door
) -> AsyncIterator[Door]:
    """Serve on `sock`: the lane first, then aiohttp. At the end, finish the open requests."""
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    handle = answering_expectations(runner.server.request_handler)
    server = apps.parts.settings.server
    door = make_door(
        apps.polls.lane,
        apps.polls.held,
        runner.server,
        lane_is_on=server.lane,
        keepalive_s=server.keepalive_s,
        answer_oversize=answering_oversize(apps.public, cors(apps.parts.settings)),
        limits=connection_limits(server),
        later=apps.starts.lane,
    )
    runner.server.request_handler = ending_connections(handle, lambda: door.is_retiring)
    apps.connections.door = door
    _notice_dead_peers(sock)
    loop = asyncio.get_running_loop()
    door.listener = await loop.create_server(door, sock=sock, backlog=ACCEPT_BACKLOG)
    sweeping = asyncio.create_task(door.sweep_regularly())
    try:
        yield door
    finally:
        door.listener.close()
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
