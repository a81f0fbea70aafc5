"""What the pages cost, one by one, when people approve; and what signing in costs.

The people of an approval are signed in: their sessions are made in the store. Each has an address
of their own, which a trusted proxy would say, as the limits on guesses want it.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Self

from benchmarks.grants import Person
from benchmarks.pages import address_of, csrf_token, page_request
from benchmarks.paths.cost import Cost, RequestMeter
from benchmarks.processes import BenchmarkError
from benchmarks.servers import Competitor
from benchmarks.signing_in import PASSWORD
from benchmarks.stores import Store
from benchmarks.wire import Answer, Lines
from deviceflow.pages.cookie import SessionCookie
from deviceflow.store.accounts import new_subject
from deviceflow.store.connection import Connection
from deviceflow.store.installation import Installation
from deviceflow.store.sessions import Session, Sessions

PEOPLE = 50
PASSWORDS = 4
"""Sign-ins in a step: each costs a seventh of a second of a core."""

SESSION_S = 3_600


class Visits:
    """People at one server. Each step needs the ones before it."""

    def __init__(
        self, server: Competitor, store: Store, person: Person, session_ids: Sequence[str]
    ) -> None:
        self._server = server
        self._meter = RequestMeter(server.pids, store)
        self._person = person
        self._cookie = SessionCookie(https=False, issuer=f"http://127.0.0.1:{server.port}").name
        self._cookies = [f"{self._cookie}={each}" for each in session_ids]
        self._tokens: list[str] = []
        self._codes: list[str] = []
        self._answers: list[Answer] = []
        self._steps: dict[str, Callable[[], Awaitable[Sequence[bytes]]]] = {
            "page for a code": self._open,
            "code sent": self._send_code,
            "page with the question": self._follow,
            "approved": self._approve,
            "page with the end": self._follow,
            "sign-in: a session is there": self._arrive,
            "sign-in: form": self._ask,
            "sign-in: password": self._sign_in,
        }

    @classmethod
    async def open(
        cls, server: Competitor, store: Store, person: Person, stack: AsyncExitStack
    ) -> Self:
        """Sign people in."""
        connection = Connection.open(store.url)
        stack.push_async_callback(connection.close)
        sessions = Sessions(connection, await Installation.open(connection), SESSION_S)
        names = [f"person-{number}" for number in range(PEOPLE)]
        started = [
            await sessions.start(Session(name, new_subject(name), int(time.time())))
            for name in names
        ]
        return cls(server, store, person, started)

    @property
    def names(self) -> list[str]:
        """The steps, in order."""
        return list(self._steps)

    async def step(self, name: str) -> Cost:
        """Take a step with all people; return what a request costs. May raise BenchmarkError."""
        requests = await self._steps[name]()
        async with Lines.open(self._server.port, len(requests)) as lines:
            with self._meter.measuring(len(requests)):
                self._answers = await lines.send_all(requests)
        wrong = next((each for each in self._answers if each.status not in {200, 303}), None)
        if wrong is not None:
            raise BenchmarkError(f"{name}: {wrong.status} {wrong.body[:2000]!r}")
        return self._meter.cost

    async def _open(self) -> list[bytes]:
        return [self._get(number, "/device") for number in range(PEOPLE)]

    async def _send_code(self) -> list[bytes]:
        self._tokens = [csrf_token(answer.body.decode()) for answer in self._answers]
        self._codes = [(await self._person.issue()).user_code for _ in range(PEOPLE)]
        return self._forms()

    async def _approve(self) -> list[bytes]:
        return self._forms(decision="approve")

    async def _follow(self) -> list[bytes]:
        places = [answer.header("Location") for answer in self._answers]
        wrong = next((place for place in places if not place.startswith("/device/")), None)
        if wrong is not None:
            raise BenchmarkError(f"a form led to {wrong!r}")
        return [self._get(number, place) for number, place in enumerate(places)]

    async def _arrive(self) -> list[bytes]:
        return [self._get(number, "/login") for number in range(PEOPLE)]

    async def _ask(self) -> list[bytes]:
        return [self._get(number, "/login", cookie="") for number in range(PASSWORDS)]

    async def _sign_in(self) -> list[bytes]:
        return [
            self._post(
                number,
                "/login",
                answer.header("Set-Cookie").partition(";")[0],
                csrf_token=csrf_token(answer.body.decode()),
                username=f"person-{number}",
                password=PASSWORD,
            )
            for number, answer in enumerate(self._answers)
        ]

    def _forms(self, **more: str) -> list[bytes]:
        people = enumerate(zip(self._tokens, self._codes, strict=True))
        return [
            self._post(
                number, "/device", self._cookies[number], csrf_token=token, user_code=code, **more
            )
            for number, (token, code) in people
        ]

    def _get(self, number: int, path: str, cookie: str | None = None) -> bytes:
        cookie = self._cookies[number] if cookie is None else cookie
        return page_request(self._server.port, path, cookie, address=address_of(number))

    def _post(self, number: int, path: str, cookie: str, **fields: str) -> bytes:
        return page_request(self._server.port, path, cookie, fields, address=address_of(number))
