"""The server under test, as a device sees it: what is sent, what comes back, at which pace."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Self
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDict

from deviceflow.conformance.answers import SiteAnswer, Started, members_of, seconds_of
from deviceflow.conformance.decisions import Choice, Decisions, ToDecide, Undecided
from deviceflow.conformance.endpoints import Endpoints
from deviceflow.conformance.exchange import EXCHANGES, masked_exchange
from deviceflow.device.client_auth import Credentials
from deviceflow.device.polling import Time

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
MAX_BODY_BYTES = 1 << 20

KNOWN_WITHIN_S = 2.0
"""How long after a decision a server may need to tell all its processes and hosts of it."""

REAL_TIME = Time(clock=time.monotonic, sleep=asyncio.sleep)

Form = Sequence[tuple[str, str]] | Mapping[str, str]

_TOO_MANY_REQUESTS = 429


class Unreachable(Exception):  # noqa: N818, it states a condition
    """The server gives no answer."""


class Stopped(Exception):  # noqa: N818
    """The server has asked for a pause (429), so nothing more is sent to it."""


class Politeness:
    """At most `rate` requests a second in the long run, and none after a 429."""

    def __init__(self, rate: float, time: Time = REAL_TIME) -> None:
        self._pause = 1 / rate
        self._time = time
        self._next = 0.0
        self.stopped = ""

    async def turn(self, requests: int = 1) -> None:
        """Wait until that many requests may go out. Raises Stopped."""
        if self.stopped:
            raise Stopped(self.stopped)
        now = self._time.clock()
        begins = max(now, self._next)
        self._next = begins + self._pause * requests
        await self._time.sleep(begins - now)


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """The client, a second one, and the way to a decision. `scope`: what is requested.

    `may_guess`: whether wrong user codes may be typed, after which a server may lock the person.
    """

    client: Credentials
    decisions: Decisions
    other: Credentials | None = None
    scope: str = ""
    may_guess: bool = False


class Site:
    """The server under test. Methods that send raise Unreachable and Stopped."""

    def __init__(
        self,
        endpoints: Endpoints,
        parties: Parties,
        politeness: Politeness,
        time: Time = REAL_TIME,
        timeout_s: float = 30,
    ) -> None:
        self.at = endpoints
        self.parties = parties
        self.politeness = politeness
        self.time = time
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._person = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._session = self.connections()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def client(self) -> Credentials:
        """The client under test."""
        return self.parties.client

    def connections(self) -> aiohttp.ClientSession:
        """Open connections of their own, which the caller closes."""
        connector = aiohttp.TCPConnector(limit=0)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def send(
        self,
        method: str,
        url: str,
        form: Form | None = None,
        headers: Mapping[str, str] | None = None,
        session: aiohttp.ClientSession | None = None,
    ) -> SiteAnswer:
        """Send a request as it is, with no credentials of its own."""
        await self.politeness.turn()
        return await self._exchange(method, url, _pairs(form), headers or {}, session)

    async def post(
        self,
        url: str,
        form: Form,
        client: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
        session: aiohttp.ClientSession | None = None,
    ) -> SiteAnswer:
        """POST a form as `client`, or as the client under test."""
        own, fields = (client or self.client).apply(self.at.client_methods)
        pairs = [*(_pairs(form) or []), *fields.items()]
        # Not a dict: a check may send a header twice.
        both = CIMultiDict([*own.items(), *(headers or {}).items()])
        return await self.send("POST", url, pairs, both, session)

    async def request_codes(
        self, client: Credentials | None = None, **parameters: str
    ) -> SiteAnswer:
        """Send a device authorization request (RFC 8628 3.1). `scope`: that of the run."""
        if self.parties.scope:
            parameters.setdefault("scope", self.parties.scope)
        return await self.post(self.at.device_authorization, parameters, client)

    async def start(self, client: Credentials | None = None, **parameters: str) -> Started:
        """Begin a grant. Raises Unreachable if the server refuses it."""
        answer = await self.request_codes(client, **parameters)
        if not answer.members.get("device_code"):
            raise Unreachable(f"the server gives no codes: {answer.summary}")
        return Started(answer, client or self.client, self.time.clock())

    async def poll(
        self,
        grant: Started,
        client: Credentials | None = None,
        *,
        at_once: bool = False,
        session: aiohttp.ClientSession | None = None,
        headers: Mapping[str, str] | None = None,
        **parameters: str,
    ) -> SiteAnswer:
        """Poll (RFC 8628 3.4), at the grant's interval or `at_once`. `slow_down` adds 5 s.

        After a decision, both wait until the server should know it.
        """
        due = grant.known_at if at_once else max(grant.known_at, grant.next_poll)
        await self.time.sleep(max(0, due - self.time.clock()))
        form = {"grant_type": GRANT_TYPE, "device_code": grant.device_code, **parameters}
        answer = await self.post(self.at.token, form, client or grant.client, headers, session)
        if answer.error == "slow_down":
            own = answer.members.get("interval")
            grant.interval = max(grant.interval + 5, seconds_of(own, 0))
        # A little later than the interval: the server measures when it receives.
        grant.next_poll = self.time.clock() + grant.interval + 0.1
        return answer

    async def poll_together(self, grant: Started, count: int) -> list[SiteAnswer]:
        """Send `count` polls at the same moment, each on a connection of its own."""
        await self.time.sleep(max(0, grant.known_at - self.time.clock()))
        await self.politeness.turn(count)
        headers, fields = grant.client.apply(self.at.client_methods)
        form = {"grant_type": GRANT_TYPE, "device_code": grant.device_code, **fields}
        async with self.connections() as session:
            polls = [
                self._exchange("POST", self.at.token, _pairs(form), headers, session)
                for _ in range(count)
            ]
            return await asyncio.gather(*polls)

    async def poll_decided(self, grant: Started, **parameters: str) -> SiteAnswer:
        """Poll for a decision that was made. While the answer is still pending, poll once more.

        So a server that is slow to tell its processes is not taken for one that lost a decision.
        """
        poll = partial(self.poll, grant, **parameters)  # type: ignore[arg-type]  # of the form only
        answer = await poll()
        if answer.error == "authorization_pending":
            answer = await poll()
        return answer

    async def decide(self, grant: Started, choice: Choice, typed: str | None = None) -> None:
        """Have a person decide. With `typed`, the person types this code. Raises Undecided."""
        async with self._person:
            await self._decide(grant, choice, typed)

    async def decide_twice(self, grant: Started, *choices: Choice) -> list[Undecided | None]:
        """Have decisions made at the same moment; None for each that the pages took."""
        async with self._person:
            made = await asyncio.gather(
                *(self._decide(grant, choice) for choice in choices), return_exceptions=True
            )
        for each in made:
            if each is not None and not isinstance(each, Undecided):
                raise each
        return [each if isinstance(each, Undecided) else None for each in made]

    async def approved(self, client: Credentials | None = None, **parameters: str) -> Started:
        """Begin a grant, and have it approved; nothing has polled it yet.

        It begins when the person has time, so that its codes do not grow old in a queue.
        """
        async with self._person:
            grant = await self.start(client, **parameters)
            await self._decide(grant, "approve")
        return grant

    async def _decide(self, grant: Started, choice: Choice, typed: str | None = None) -> None:
        await self.politeness.turn()
        await self.parties.decisions.decide(
            ToDecide(
                user_code=typed or grant.user_code,
                verification_uri=grant.verification_uri,
                verification_uri_complete=None if typed else grant.verification_uri_complete,
                choice=choice,
            )
        )
        grant.known_at = self.time.clock() + KNOWN_WITHIN_S

    async def tokens(self, **parameters: str) -> SiteAnswer:
        """Run the whole flow. Raises Unreachable if it gives no tokens."""
        answer = await self.poll_decided(await self.approved(None, **parameters))
        if not answer.has_tokens:
            raise Unreachable(f"an approved grant gives no tokens: {answer.summary}")
        return answer

    async def _exchange(
        self,
        method: str,
        url: str,
        pairs: list[tuple[str, str]] | None,
        headers: Mapping[str, str],
        session: aiohttp.ClientSession | None = None,
    ) -> SiteAnswer:
        session = session or self._session
        if session is None:
            raise RuntimeError("the site is not open: use `async with`")
        sent = CIMultiDict(headers)
        sent.setdefault("Accept", "application/json")
        if pairs is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        began = self.time.clock()
        try:
            async with session.request(
                method,
                url,
                data=None if pairs is None else urlencode(pairs),
                headers=sent,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                body = await response.content.read(MAX_BODY_BYTES)
                answer = SiteAnswer(
                    status=response.status,
                    headers=response.headers,
                    body=body,
                    members=members_of(body),
                )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise Unreachable(f"no answer from {urlsplit(url).netloc}: {what}") from error
        EXCHANGES.get([]).append(
            masked_exchange(method, url, pairs or [], headers, answer, self.time.clock() - began)
        )
        if answer.status == _TOO_MANY_REQUESTS and answer.error != "slow_down":
            after = answer.headers.get("Retry-After")
            when = f"for {after} s" if after else "without saying how long"
            self.politeness.stopped = f"the server asked for a pause {when} (429)"
        return answer


def _pairs(form: Form | None) -> list[tuple[str, str]] | None:
    if form is None:
        return None
    return list(form.items() if isinstance(form, Mapping) else form)
