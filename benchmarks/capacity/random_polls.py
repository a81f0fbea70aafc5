"""Polls at random moments, as those of many devices are: a process of its own sends them.

An event loop cannot do that: its timers have whole milliseconds, so the polls of a millisecond
would come together, and a worker would wake up once for several of them.
"""

import asyncio
import ctypes
import random
import select
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

from benchmarks.polls import poll_start
from benchmarks.processes import BenchmarkError

_SET_TIMER_SLACK = 29
"""PR_SET_TIMERSLACK of prctl(2): by default, Linux wakes a process up to 50 us late."""

READ_EVERY = 32
BEGIN_S = 30.0
LOOK_S = 0.01


class RandomPolls:
    """Polls that are being sent. Make it with `open`, which also ends it."""

    def __init__(self, port: int, codes: Sequence[str], rate: float) -> None:
        apart = get_context("spawn")
        self._answered: Synchronized[int] = apart.Value("Q", 0)
        self._ending: Event = apart.Event()
        arguments = (port, list(codes), rate, self._answered, self._ending)
        self._process = apart.Process(target=_send, args=arguments, daemon=True)
        self._process.start()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, port: int, codes: Sequence[str], rate: float
    ) -> AsyncIterator["RandomPolls"]:
        """Poll for each of `codes` in turn over a connection of its own, `rate` times a second.

        May raise BenchmarkError: if polls are not answered as pending.
        """
        polls = cls(port, codes, rate)
        try:
            began = time.monotonic()
            while not polls.answered:
                if not polls._process.is_alive() or time.monotonic() - began > BEGIN_S:
                    raise BenchmarkError("no polls were sent at random moments")
                await asyncio.sleep(LOOK_S)
            yield polls
            if not polls._process.is_alive():
                raise BenchmarkError("polls at random moments were not answered as pending")
        finally:
            polls._ending.set()
            await asyncio.to_thread(polls._process.join, BEGIN_S)
            polls._process.kill()

    @property
    def answered(self) -> int:
        """How many polls were answered so far."""
        return int(self._answered.value)


def _send(
    port: int, codes: Sequence[str], rate: float, answered: "Synchronized[int]", ending: Event
) -> None:
    ctypes.CDLL(None).prctl(_SET_TIMER_SLACK, 1)
    start, chance = poll_start(port), random.Random()
    requests = [start + code.encode() for code in codes]
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in codes]
    waiting = select.epoll()
    for each in sockets:
        waiting.register(each, select.EPOLLIN)
    by_number = {each.fileno(): each for each in sockets}
    at, turn = time.perf_counter(), 0
    while turn % READ_EVERY or not ending.is_set():
        at += chance.expovariate(rate)
        early = at - time.perf_counter()
        if early > 0:
            time.sleep(early)
        place = turn % len(sockets)
        sockets[place].send(requests[place])
        turn += 1
        if turn % READ_EVERY == 0:
            answered.value += sum(_read(by_number[number]) for number, _ in waiting.poll(0))
    for each in sockets:
        each.close()


def _read(answering: socket.socket) -> int:
    """Read an answer. Raises OSError if it is not that of a pending grant."""
    data = answering.recv(1 << 16)
    if b"authorization_pending" not in data and b"slow_down" not in data:
        raise OSError(f"a poll was answered: {data.decode(errors='replace')}")
    return 1
