"""People who approve and deny on the pages, over HTTP, with a connection for each request.

Their sessions are made in the store: signing in costs a seventh of a second of a core, and is not
what is measured. Each person has an address of their own, as the limits on guesses want it.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from benchmarks.faults.devices import FleetDevice
from benchmarks.faults.record import APPROVE, DENY, LiveGrant, Record
from benchmarks.pages import csrf_token
from deviceflow.pages.cookie import SessionCookie
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.sessions import Session, Sessions

COUNT = 100
DENIALS = 0.2
"""The share of decisions that are denials."""

PRESS_AGAIN_S = 1.0
REQUEST_S = 15.0
SESSION_S = 3_600


def name_of(number: int) -> str:
    """Return the name and the subject of a person."""
    return f"person-{number}"


class Person:
    """A person who has signed in."""

    def __init__(self, name: str, session: ClientSession, csrf_token: str, record: Record) -> None:
        self.name = name
        self._session, self._csrf_token, self._record = session, csrf_token, record

    async def decide(self, grant: LiveGrant) -> None:
        """Enter the code, and press the button; press it again until that is acknowledged."""
        fields = {"user_code": grant.user_code, "csrf_token": self._csrf_token}
        pressed = fields | {"decision": grant.decision.name if grant.decision else ""}
        await self._press(fields, "/device/confirm", grant)
        await self._press(pressed, "/device/done", grant)
        if not grant.is_lost:
            self._record.acknowledged(grant)

    async def _press(self, fields: dict[str, str], wanted: str, grant: LiveGrant) -> None:
        while not grant.is_lost:
            if await self._post(fields, wanted, grant):
                return
            await asyncio.sleep(PRESS_AGAIN_S)

    async def _post(self, fields: dict[str, str], wanted: str, grant: LiveGrant) -> bool:
        """Send a form; return whether it led to the page `wanted`."""
        counts = self._record.counts
        try:
            async with self._session.post("/device", data=fields, allow_redirects=False) as answer:
                leads_to = answer.headers.get("Location", "")
        except (ClientError, TimeoutError, OSError) as error:
            counts["forms unanswered"] += 1
            counts[f"forms: {type(error).__name__}"] += 1
            return False
        if answer.status == 503:
            counts["forms 503"] += 1
            return False
        if leads_to.startswith(wanted):
            return True
        # The store knows no grant for this code: it was issued, but lost with a primary.
        counts["grants lost"] += 1
        counts[f"forms to {leads_to.partition('?')[0] or answer.status}"] += 1
        grant.is_lost = True
        return False


class People:
    """People who decide at a steady rate."""

    def __init__(self, people: Sequence[Person], record: Record) -> None:
        self._people, self._record = people, record
        self._under_way: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int, store_url: str, record: Record) -> AsyncIterator[Self]:
        """Sign people in."""
        async with AsyncExitStack() as stack:
            connection = Connection.open(store_url)
            stack.push_async_callback(connection.close)
            sessions = Sessions(connection, await Installation.open(connection), SESSION_S)
            people = [
                await _sign_in(number, f"http://127.0.0.1:{port}", sessions, stack, record)
                for number in range(COUNT)
            ]
            opened = cls(people, record)
            stack.callback(opened._stop)
            yield opened

    async def run(self, devices: Sequence[FleetDevice], rate: float) -> None:
        """Decide `rate` grants a second, until this is cancelled."""
        chance, due, number = random.Random(8628), time.monotonic(), 0
        while True:
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            grant = _undecided(chance, devices)
            if grant is None:
                continue
            decision = DENY if chance.random() < DENIALS else APPROVE
            person = self._people[number % len(self._people)]
            self._record.deciding(grant, decision, person.name)
            task = asyncio.create_task(person.decide(grant))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            number += 1

    @property
    def under_way(self) -> int:
        """How many decisions are not acknowledged yet."""
        return len(self._under_way)

    def _stop(self) -> None:
        for task in self._under_way:
            task.cancel()


def _undecided(chance: random.Random, devices: Sequence[FleetDevice]) -> LiveGrant | None:
    for _ in range(20):
        grant = chance.choice(devices).grant
        if grant is not None and grant.decision is None:
            return grant
    return None


async def _sign_in(
    number: int, base: str, sessions: Sessions, stack: AsyncExitStack, record: Record
) -> Person:
    name = name_of(number)
    session_id = await sessions.start(Session(name, name, int(time.time())))
    cookie = SessionCookie(https=False, issuer=base).name
    client = await stack.enter_async_context(
        ClientSession(
            base,
            headers={"Cookie": f"{cookie}={session_id}"},
            connector=TCPConnector(force_close=True, local_addr=(f"127.0.1.{number + 1}", 0)),
            timeout=ClientTimeout(total=REQUEST_S),
        )
    )
    async with client.get("/device") as page:
        token = csrf_token(await page.text())
    return Person(name, client, token, record)
