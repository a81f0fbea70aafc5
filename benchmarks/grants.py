"""Real grants in the store: made with `Grants.issue`, decided with `Grants.decide`."""

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AsyncExitStack
from typing import Self

import uvloop

from benchmarks.batching import BatchingConnection
from benchmarks.polls import CLIENT_ID, LIFETIME_S, SCOPE, USER_AGENT
from deviceflow.core.claims import Subject
from deviceflow.core.grant import Event, Outcome, State
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.store.connection import Connection
from deviceflow.store.device_index import DeviceIndex
from deviceflow.store.grant_records import Grant, GrantCodes, GrantRequest
from deviceflow.store.grants import Grants
from deviceflow.store.installation import Installation
from deviceflow.store.mirror import Mirror
from deviceflow.store.slots import Slots

FORM = UserCodeFormat()
APPROVER = "demo"
CHUNK = 20_000
AT_A_TIME = 500


class TimedGrants(Grants):
    """Grants that record the time of a decision: after the script, before the push message."""

    committed_at = 0.0

    async def _announce(self, grant: Grant, state: State) -> None:
        self.committed_at = time.monotonic()
        await super()._announce(grant, state)


class Person:
    """A person with devices: starts grants as the endpoint does, and approves as the pages do."""

    def __init__(self, connection: Connection, installation: Installation) -> None:
        self._grants = TimedGrants(
            connection,
            installation,
            Mirror(),
            Slots(connection, time.monotonic),
            DeviceIndex(connection, installation, LIFETIME_S, time.time),
            time.time,
        )

    @classmethod
    async def open(
        cls, url: str, stack: AsyncExitStack, kind: type[Connection] = Connection
    ) -> Self:
        """Make a person with a connection that `stack` closes."""
        connection = kind.open(url)
        stack.push_async_callback(connection.close)
        return cls(connection, await Installation.open(connection))

    async def issue(self, interval: int = 1) -> GrantCodes:
        """Start a grant as a television does."""
        request = GrantRequest(CLIENT_ID, SCOPE, int(time.time()), "203.0.113.77", USER_AGENT)
        return await self._grants.issue(request, FORM, LIFETIME_S, interval)

    async def claim(self, user_code: str) -> Grant:
        """Look up the code and claim the grant. May raise LookupError."""
        grant = await self._grants.find(user_code)
        if grant is None or await self._grants.claim(grant, APPROVER) is not Outcome.CHANGED:
            raise LookupError("a grant that was just made is gone")
        return grant

    async def approve(self, grant: Grant) -> float:
        """Approve, and return the time (time.monotonic) at which the store had the decision.

        May raise LookupError.
        """
        subject = Subject(sub=APPROVER, username=APPROVER, auth_time=int(time.time()), amr=("pwd",))
        if await self._grants.decide(grant, Event.APPROVE, subject) is not Outcome.CHANGED:
            raise LookupError("a grant that was just claimed is gone")
        return self._grants.committed_at


def issue_many(url: str, count: int, processes: int, done: Callable[[int], None]) -> list[str]:
    """Make `count` grants with several processes, and return their device codes."""
    context = multiprocessing.get_context("spawn")
    codes: list[str] = []
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        sizes = [min(CHUNK, count - start) for start in range(0, count, CHUNK)]
        jobs = [pool.submit(_issue_chunk, url, size) for size in sizes]
        for job in as_completed(jobs):
            codes += job.result()
            done(len(job.result()))
    return codes


def _issue_chunk(url: str, count: int) -> list[str]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_issue(url, count))


async def _issue(url: str, count: int) -> list[str]:
    codes: list[str] = []

    async def issue_until_full(person: Person) -> None:
        while len(codes) < count:
            # Other tasks do the same, so reserve the place before the await.
            place = len(codes)
            codes.append("")
            codes[place] = (await person.issue()).device_code

    async with AsyncExitStack() as stack:
        person = await Person.open(url, stack, BatchingConnection)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_A_TIME):
                tasks.create_task(issue_until_full(person))
    return codes
