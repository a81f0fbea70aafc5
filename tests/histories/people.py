"""People: they approve, deny and report what devices ask for, on the pages or through the API.

For each grant, a plan is drawn: one decision, two at the same moment, or two accounts that both
want the code. A decision that is not acknowledged is sent again.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Self

from deviceflow.pages.cookie import SessionCookie
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.sessions import Session, Sessions
from deviceflow.tasks import end
from tests.histories.devices import BRIEF, LIFETIMES_S, LiveGrant
from tests.histories.history import Operation, Outcome
from tests.histories.wire import Reply, Wire, acknowledge

PERSONS = tuple(f"person-{number}" for number in range(4))
"""People who decide through the API. Operators disable some of them."""

READERS = tuple(f"reader-{number}" for number in range(3))
"""People who decide on the pages."""

PARTIAL_SCOPE = "openid offline_access"
SESSION_S = 7_200
AGAIN_S = 1.0
MOST_TRIES = 6
_CSRF = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')

_APPROVED = "You can go back to your device"
_DENIED = {"Request denied", "Thank you for telling us"}
_OPEN = {"This device is disconnected", ""}
"""The headings of the last page that say that the button was obeyed, or leave it open."""


class Reader(NamedTuple):
    """A person whose browser has signed in: the cookie, and the token of the forms."""

    name: str
    headers: dict[str, str]
    csrf_token: str


class People:
    """All people of a run."""

    def __init__(self, wire: Wire, readers: Sequence[Reader], seed: int) -> None:
        self._wire, self._readers = wire, readers
        self._chance = random.Random(f"{seed} people")  # noqa: S311, no secret
        self._deciding: set[asyncio.Task[None]] = set()
        self._plans: dict[Callable[[LiveGrant], Awaitable[None]], int] = {
            self._approve: 36,
            self._approve_on_pages: 12,
            self._deny: 8,
            self._deny_on_pages: 4,
            self._cancel: 6,
            self._change_their_mind: 8,
            self._press_both_buttons: 8,
            self._compete: 8,
            self._compete_with_a_reader: 5,
            self._approve_then_cancel: 4,
            self._look_away: 3,
        }

    @classmethod
    async def meet(cls, wire: Wire, store_url: str, seed: int) -> Self:
        """Sign readers in: their sessions are made in the store, as passwords take long."""
        connection = Connection.open(store_url)
        try:
            installation = await Installation.open(connection)
            sessions = Sessions(connection, installation, SESSION_S)
            readers = [await _sign_in(wire, sessions, name) for name in READERS]
        finally:
            await connection.close()
        return cls(wire, readers, seed)

    def see(self, grant: LiveGrant) -> None:
        """Have somebody decide a new grant."""
        task = asyncio.create_task(self._decide(grant))
        self._deciding.add(task)
        task.add_done_callback(self._deciding.discard)

    async def finish(self) -> None:
        """Wait for the decisions that are under way."""
        while self._deciding:
            done, _ = await asyncio.wait(self._deciding)
            for task in done:
                task.result()

    async def leave(self) -> None:
        """Break off what they are doing."""
        for task in [*self._deciding]:
            await end(task)

    async def _decide(self, grant: LiveGrant) -> None:
        # The codes of BRIEF live so shortly that some decisions come too late.
        longest = LIFETIMES_S[BRIEF] + 1 if grant.client == BRIEF else 6
        await asyncio.sleep(self._chance.uniform(0.3, longest))
        plan = self._chance.choices([*self._plans], [*self._plans.values()])[0]
        await plan(grant)

    async def _approve(self, grant: LiveGrant) -> None:
        scope = PARTIAL_SCOPE if self._chance.random() < 0.2 else ""
        await self._press("approve", grant, self._chance.choice(PERSONS), scope)

    async def _deny(self, grant: LiveGrant) -> None:
        await self._press("deny", grant, self._chance.choice(PERSONS))

    async def _cancel(self, grant: LiveGrant) -> None:
        await self._press("cancel", grant)

    async def _approve_on_pages(self, grant: LiveGrant) -> None:
        await self._read_and_press(grant, "approve")

    async def _deny_on_pages(self, grant: LiveGrant) -> None:
        await self._read_and_press(grant, self._chance.choice(("deny", "report")))

    async def _change_their_mind(self, grant: LiveGrant) -> None:
        """Deny, and then approve in another window."""
        person = self._chance.choice(PERSONS)
        await self._press("deny", grant, person)
        await self._press("approve", grant, person)

    async def _press_both_buttons(self, grant: LiveGrant) -> None:
        person = self._chance.choice(PERSONS)
        await asyncio.gather(
            self._press("approve", grant, person), self._press("deny", grant, person)
        )

    async def _compete(self, grant: LiveGrant) -> None:
        """Two accounts have the code at the same time."""
        first, second = self._chance.sample(PERSONS, 2)
        name = self._chance.choice(("approve", "deny"))
        await asyncio.gather(self._press("approve", grant, first), self._press(name, grant, second))

    async def _compete_with_a_reader(self, grant: LiveGrant) -> None:
        """One account reads the page, and another one decides meanwhile."""
        reader = self._chance.choice(self._readers)
        if await self._claim(reader, grant):
            await self._press(
                self._chance.choice(("approve", "deny")), grant, self._chance.choice(PERSONS)
            )
            await self._press_on_page(reader, grant, "approve")

    async def _approve_then_cancel(self, grant: LiveGrant) -> None:
        await self._approve(grant)
        await self._cancel(grant)

    async def _look_away(self, _: LiveGrant) -> None:
        """Decide nothing: the codes expire."""

    async def _press(self, name: str, grant: LiveGrant, sub: str = "", scope: str = "") -> None:
        """Decide through the API, until that is acknowledged or refused."""
        desk = self._chance.randrange(len(self._wire.desks))
        body = {"sub": sub} if sub else {}
        if name == "approve":
            body |= {"username": sub} | ({"scope": scope} if scope else {})
        args = {"sub": sub} if sub else {}
        args |= {"scope": scope} if scope else {}
        grant_id = ""
        for number in range(MOST_TRIES):
            with self._wire.history.operation(
                sub or "operator", name, grant=grant.name, **args
            ) as operation:
                grant_id = grant_id or await self._find(operation, desk + number, grant)
                if grant_id:
                    path = f"/grants/{grant_id}/{name}"
                    reply = await self._wire.order(operation, desk + number, path, body)
                    if acknowledge(operation, reply):
                        grant.decided.set()
            if operation.outcome is not Outcome.MAYBE:
                return
            await asyncio.sleep(AGAIN_S)

    async def _find(self, operation: Operation, desk: int, grant: LiveGrant) -> str:
        """Return the id of a grant. If it is not known, nothing was decided."""
        body = {"user_code": grant.user_code}
        reply = await self._wire.order(operation, desk, "/grants/find", body)
        if reply is not None and reply.status == 200:
            return str(reply.body["id"])
        if reply is not None:
            operation.outcome = Outcome.REFUSED
            operation.result = {"error": reply.body.get("error", reply.status)}
        return ""

    async def _read_and_press(self, grant: LiveGrant, button: str) -> None:
        reader = self._chance.choice(self._readers)
        if await self._claim(reader, grant):
            await self._press_on_page(reader, grant, button)

    async def _claim(self, reader: Reader, grant: LiveGrant) -> bool:
        """Enter the code; return whether the page shows the request."""
        for _ in range(MOST_TRIES):
            with self._operation(reader, "claim", grant) as operation:
                reply = await self._send(operation, reader, grant)
                if reply is not None:
                    is_shown = reply.location.startswith("/device/confirm")
                    operation.outcome = Outcome.DONE if is_shown else Outcome.REFUSED
                    operation.result = {} if is_shown else {"to": reply.location.split("?")[0]}
            if reply is not None:
                return operation.is_done
            await asyncio.sleep(AGAIN_S)
        return False

    async def _press_on_page(self, reader: Reader, grant: LiveGrant, button: str) -> None:
        """Press a button, and read on the last page whether it was obeyed."""
        name = "approve" if button == "approve" else "deny"
        for _ in range(MOST_TRIES):
            with self._operation(reader, name, grant, by=button) as operation:
                reply = await self._send(operation, reader, grant, decision=button)
                if reply is not None and reply.location.startswith("/device/done"):
                    page = await self._wire.page(operation, reply.location, reader.headers)
                    if page is not None:
                        operation.outcome = _read_end(page, name)
                        operation.result = {"page": page.title}
                elif reply is not None:
                    operation.outcome = Outcome.REFUSED
                    operation.result = {"to": reply.location.split("?")[0]}
                if operation.is_done:
                    grant.decided.set()
            if reply is not None:
                return
            await asyncio.sleep(AGAIN_S)

    def _operation(
        self, reader: Reader, name: str, grant: LiveGrant, **args: str
    ) -> AbstractContextManager[Operation]:
        return self._wire.history.operation(
            reader.name, name, grant=grant.name, sub=reader.name, **args
        )

    async def _send(
        self, operation: Operation, reader: Reader, grant: LiveGrant, **fields: str
    ) -> Reply | None:
        form = {"user_code": grant.user_code, "csrf_token": reader.csrf_token} | fields
        return await self._wire.post(operation, "/device", form, reader.headers)


def _read_end(page: Reply, name: str) -> Outcome:
    """Return what the last page says of a button."""
    if page.title in _OPEN:
        return Outcome.MAYBE
    is_obeyed = page.title == _APPROVED if name == "approve" else page.title in _DENIED
    return Outcome.DONE if is_obeyed else Outcome.REFUSED


async def _sign_in(wire: Wire, sessions: Sessions, name: str) -> Reader:
    session_id = await sessions.start(Session(name, name, int(time.time())))
    cookie = SessionCookie(https=False, issuer=wire.front).name
    headers = {"Cookie": f"{cookie}={session_id}"}
    with wire.history.operation(name, "look") as operation:
        page = await wire.page(operation, "/device", headers)
        found = _CSRF.search(page.page) if page else None
        assert found is not None, f"the page for codes has no form: {page}"
        operation.outcome = Outcome.DONE
    return Reader(name, headers, found[1])
