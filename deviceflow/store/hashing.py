"""The queue for hashing passwords: whose turn is next, and which work is dropped.

A check takes a seventh of a second of a core and 64 MiB. So each worker makes one at a time, in a
thread with a low priority, and the others wait:

- Senders take turns. A stranger who sends a hundred passwords from one address has one turn in each
  round, as every sender has. All addresses of one network share one turn, and take it in turns.
- A sender who has gone leaves no work behind.
- No more than MOST_WAITING wait. Then the newest of the network with the most is refused.
"""

import asyncio
import os
import sys
import threading
from asyncio import Future
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeVar

HASHING_NICENESS = 10
"""Of the hashing thread, where the event loop has 0 (setpriority(2))."""

MOST_WAITING = 256
"""The pupils of a school who sign in at the bell are fewer, and one core needs 40 s for them."""

T = TypeVar("T")


class Sender(NamedTuple):
    """The sender for which a hash is made. `has_gone`: whether it has left without its answer.

    `key`: senders with the same key share one turn. `network`: keys of the same network share one
    turn; None for a key that shares with no other.
    """

    key: str = ""
    has_gone: Callable[[], bool] = lambda: False
    network: str | None = None


ANYBODY = Sender()
"""The server itself, which never goes."""


class HashingBusy(Exception):  # noqa: N818, it states a condition, not a mistake
    """Too many wait. Nothing was checked."""


class SenderGone(ConnectionError):  # noqa: N818
    """The sender has gone before its turn. Nothing was checked, and no one is left to answer."""


class _Job(NamedTuple):
    sender: Sender
    work: Callable[[], Any]
    done: "Future[Any]"

    @property
    def is_wanted(self) -> bool:
        return not self.done.done() and not self.sender.has_gone()


_Lines = dict[str, deque[_Job]]
"""What waits, by sender."""


class HashingQueue:
    """Runs work for senders, one at a time. `pool`: where it runs; None makes a thread."""

    def __init__(self, pool: Executor | None = None) -> None:
        # One thread: a second one may displace it while it has the interpreter's lock, and then
        # the event loop waits for both, for a whole slice of the kernel's (docs/performance.md).
        self._pool = pool or ThreadPoolExecutor(
            1, thread_name_prefix="argon2", initializer=_let_polls_go_first
        )
        self._is_busy = False
        # By network, and in each by sender, both in the order of their turns.
        self._networks: dict[str, _Lines] = {}

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return sum(map(_waiting_in, self._networks.values()))

    async def run(self, sender: Sender, work: Callable[[], T]) -> T:
        """Run `work` in the thread when it is the sender's turn.

        Raises HashingBusy if too many wait, SenderGone if the sender has gone by then.
        """
        job = _Job(sender, work, asyncio.get_running_loop().create_future())
        if self._is_busy:
            self._wait(job)
        else:
            # No job waits. A sender that has closed its end may still read the answer.
            self._begin(job)
        result: T = await job.done
        return result

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, job: _Job) -> None:
        self._is_busy = True
        running = asyncio.wrap_future(self._pool.submit(job.work))
        running.add_done_callback(partial(self._finish, job))

    def _wait(self, job: _Job) -> None:
        """Put a job at the end of its sender's line, if need be in the place of another one."""
        if self.waiting >= MOST_WAITING:
            self._drop_unwanted()
        self._add(job)
        if self.waiting > MOST_WAITING:
            self._refuse_one()

    def _finish(self, job: _Job, ended: "Future[Any]") -> None:
        self._is_busy = False
        if ended.cancelled():
            job.done.cancel()
        elif (error := ended.exception()) is not None:
            _fail(job, error)
        elif not job.done.done():
            job.done.set_result(ended.result())
        following = self._take()
        if following is not None:
            self._begin(following)

    def _add(self, job: _Job) -> None:
        key, network = job.sender.key, job.sender.network
        lines = self._networks.setdefault(key if network is None else network, {})
        lines.setdefault(key, deque()).append(job)

    def _take(self) -> _Job | None:
        """Take the next job out of the line whose turn it is; that line is the last one then."""
        while self._networks:
            network = next(iter(self._networks))
            lines = self._networks.pop(network)
            key = next(iter(lines))
            line = lines.pop(key)
            job = line.popleft()
            if line:
                lines[key] = line
            if lines:
                self._networks[network] = lines
            if job.is_wanted:
                return job
            _fail(job, SenderGone())
        return None

    def _drop_unwanted(self) -> None:
        networks, self._networks = self._networks, {}
        for lines in networks.values():
            for job in chain.from_iterable(lines.values()):
                if job.is_wanted:
                    self._add(job)
                else:
                    _fail(job, SenderGone())

    def _refuse_one(self) -> None:
        """Refuse the newest job in the longest line of the network with the most."""
        # Of several, the last one: a sender whose turn is next is not refused.
        network, lines = max(
            reversed(self._networks.items()), key=lambda each: _waiting_in(each[1])
        )
        key, line = max(reversed(lines.items()), key=lambda each: len(each[1]))
        _fail(line.pop(), HashingBusy())
        if not line:
            del lines[key]
        if not lines:
            del self._networks[network]


def _waiting_in(lines: _Lines) -> int:
    return sum(map(len, lines.values()))


def _fail(job: _Job, error: BaseException) -> None:
    # The task that waits for it may have been cancelled.
    if not job.done.done():
        job.done.set_exception(error)


def _let_polls_go_first() -> None:
    """Lower the priority of this thread: a wave of sign-ins must not slow the event loop down."""
    # On Linux a priority is a thread's own; elsewhere it is the whole process's.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HASHING_NICENESS)
