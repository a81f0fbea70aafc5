"""The pace across real workers: one table for all of them, and no command to the store."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from redis import Redis

from deviceflow.core.device_code import NONCE_BITS
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.supervisor.pace_process import PROCESS_NAME
from tests.stage.process import MakeProgram
from tests.stage.program import Program, children, name_of
from tests.stage.valkey import Valkey
from tests.stage.waiting import until_outside
from tests.stage.wire import poll_once

GRANTS = 200
POLLS = 600
AT_ONCE = 20
# What workers do on their own: an XRANGE and one of each of these a second (the
# catch-up, in one round trip) ...
CATCH_UP = ("hget", "get", "set")
# ... and these when they start.
START = {"subscribe", "hello", "info", "client", "select", "ping"}
# What the process does that shares the pace with other hosts.
SHARING = {"publish"}
# Each of the four workers reads the clients, the signing keys and the number of live grants when it
# starts, with an HGETALL each, and the last one again every 15 s.
WHOLE_HASHES = 4 * (3 + 1)
# The store may be asked for its figures in the middle of a catch-up, and what a worker does rarely
# may fall between two looks. If polls caused commands, there would be one for each.
CAUGHT_HALFWAY = GRANTS // 10


class Fleet(NamedTuple):
    """Four workers over a store of their own, and device codes of pending grants."""

    program: Program
    store: Redis
    codes: list[str]

    def calls(self) -> Counter[str]:
        """How many commands of each name the store has answered so far."""
        stats = self.store.info("commandstats")
        assert isinstance(stats, dict)
        calls: Counter[str] = Counter()
        for name, command in stats.items():
            calls[name.removeprefix("cmdstat_").split("|")[0]] += command["calls"]
        return calls

    def caused(self, before: Counter[str]) -> int:
        """How many commands since `before` were not the workers' own."""
        grown = self.calls()
        grown.subtract(before)
        # A worker that starts looks twice before it reads what is new: at the clients, and at a
        # page of the backlog.
        catch_ups = grown.pop("xrange", 0) + 2 * grown.pop("xrevrange", 0)
        for name in CATCH_UP:
            grown[name] -= catch_ups
        grown["hgetall"] = max(0, grown["hgetall"] - WHOLE_HASHES)
        return sum(abs(calls) for name, calls in grown.items() if name not in START | SHARING)

    def poll(self, codes: list[str]) -> list[str]:
        """The errors that polls get, each over a connection of its own."""
        return asyncio.run(_poll_all(self.program.port, codes))


async def _poll_all(port: int, codes: list[str]) -> list[str]:
    errors: list[str] = []
    for first in range(0, len(codes), AT_ONCE):
        batch = codes[first : first + AT_ONCE]
        answers = await asyncio.gather(*(poll_once(port, code) for code in batch))
        errors += [answer["error"] for answer in answers]
    return errors


async def _mint(url: str, count: int) -> list[str]:
    """Codes need no store to be pending: no decision is enough."""
    connection = Connection.open(url)
    try:
        seal = (await Installation.open(connection)).codes.seal
        ends = int(time.time()) + 600
        return [seal((slot << NONCE_BITS) | 77 + slot, ends, 5, "tv") for slot in range(count)]
    finally:
        await connection.close()


@pytest.fixture
def fleet(make_program: MakeProgram, start_valkey: Callable[..., Valkey]) -> Iterator[Fleet]:
    valkey = start_valkey()
    program = make_program("--workers", "4", "--redis-url", valkey.url)
    with valkey.client() as store:
        yield Fleet(program, store, asyncio.run(_mint(valkey.url, POLLS)))


def test_too_fast_is_too_fast_at_whichever_worker(fleet: Fleet) -> None:
    """8628-3.5-b: 200 of 200, with a new connection for each poll."""
    codes = fleet.codes[:GRANTS]
    assert fleet.poll(codes) == ["authorization_pending"] * GRANTS
    assert fleet.poll(codes) == ["slow_down"] * GRANTS


def workers_of(program: Program) -> set[int]:
    """The children that are workers: the store is not theirs."""
    return {pid for pid in children(program.pid) if name_of(pid) != PROCESS_NAME}


def test_no_command_for_a_pending_poll(fleet: Fleet) -> None:
    """Neither at workers that have known the grants for long, nor at one that has just begun."""
    before = fleet.calls()
    assert set(fleet.poll(fleet.codes)) == {"authorization_pending"}
    assert fleet.caused(before) <= CAUGHT_HALFWAY
    workers = workers_of(fleet.program)
    killed = workers.pop()
    os.kill(killed, signal.SIGKILL)
    until_outside(lambda: len(workers_of(fleet.program) - workers - {killed}) == 1)
    before = fleet.calls()
    # The pace is no worker's own: the new one knows that these come too soon.
    assert set(fleet.poll(fleet.codes)) == {"slow_down"}
    assert fleet.caused(before) <= CAUGHT_HALFWAY
