"""The server under test, as a device sees it: what is sent, what comes back, at which pace."""

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from deviceflow.conformance.decisions import Choice, Decisions, ToDecide, Undecided
from deviceflow.device.client_auth import Credentials
from deviceflow.device.polling import Time

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_INTERVAL_S = 5
MAX_BODY_BYTES = 1 << 20

KNOWN_WITHIN_S = 2.0
"""How long after a decision a server may need to tell all its processes and hosts of it."""

REAL_TIME = Time(clock=time.monotonic, sleep=asyncio.sleep)

Form = Sequence[tuple[str, str]] | Mapping[str, str]

_SECRET_NAMES = frozenset(
    {"device_code", "user_code", "access_token", "refresh_token", "id_token", "client_secret"}
    | {"token", "verification_uri_complete", "client_assertion", "code_verifier"}
)
_SECRET_HEADERS = frozenset({"authorization", "dpop", "set-cookie", "cookie"})
_TOO_MANY_REQUESTS = 429


class Unreachable(Exception):  # noqa: N818, it states a condition
    """The server gives no answer."""


class Stopped(Exception):  # noqa: N818
    """The server has asked for a pause (429), so nothing more is sent to it."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent and what came back, without secrets: each is replaced by its length."""

    method: str
    url: str
    sent: list[tuple[str, str]]
    status: int
    headers: dict[str, str]
    body: str
    seconds: float


class SiteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer. `members`: its JSON object, or nothing."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    members: dict[str, Any]

    @property
    def error(self) -> str:
        """The OAuth error code (RFC 6749 5.2), empty if there is none."""
        error = self.members.get("error")
        return error if isinstance(error, str) else ""

    @property
    def has_tokens(self) -> bool:
        """Whether it gives an access token."""
        return self.status == 200 and bool(self.members.get("access_token"))  # noqa: PLR2004

    @property
    def summary(self) -> str:
        """Say it in a few words, for a reason."""
        what = "tokens" if self.members.get("access_token") else self.error
        return f"{self.status} {what}".strip() if what else f"{self.status} without an OAuth error"

    @property
    def is_json(self) -> bool:
        """Whether it says that it is JSON."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip() == "application/json"


class Started:
    """One grant at the server: its codes, and when it may be polled next (RFC 8628 3.5)."""

    def __init__(self, answer: SiteAnswer, client: Credentials, now: float) -> None:
        self.answer = answer
        self.client = client
        members = answer.members
        self.device_code = str(members.get("device_code", ""))
        self.user_code = str(members.get("user_code", ""))
        self.verification_uri = str(members.get("verification_uri", ""))
        self.verification_uri_complete: str | None = members.get("verification_uri_complete")
        self.expires_in = _seconds(members.get("expires_in"), 0)
        self.interval = _seconds(members.get("interval"), DEFAULT_INTERVAL_S)
        self.began = now
        self.next_poll = now
        self.known_at = now
        """From then on, every process of the server should know what the person has decided."""


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


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server is reached. `metadata`: its document (RFC 8414), {} without one."""

    issuer: str
    device_authorization: str
    token: str
    metadata: dict[str, Any] = {}

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        host = urlsplit(self.token).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    @property
    def client_methods(self) -> tuple[str, ...]:
        """The ways in which clients may authenticate (RFC 8414 2 has the default)."""
        listed = self.metadata.get("token_endpoint_auth_methods_supported")
        return tuple(listed) if isinstance(listed, list) else ("client_secret_basic",)

    def optional(self, name: str) -> str | None:
        """Return an endpoint of the metadata, None if the server has none."""
        found = self.metadata.get(name)
        return found if isinstance(found, str) else None


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """The client, a second one, and the way to a decision. `scope`: what is requested.

    `may_guess`: whether wrong user codes may be typed, after which a server may lock the person.
    """

    client: Credentials
    decisions: Decisions
    other: Credentials | None = None
    scope: str = ""
    may_guess: bool = False


EXCHANGES: ContextVar[list[Exchange]] = ContextVar("exchanges")
"""What the running check has sent and received."""


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
            grant.interval = max(grant.interval + 5, _seconds(own, 0))
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
                    members=_members(body),
                )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise Unreachable(f"no answer from {urlsplit(url).netloc}: {what}") from error
        EXCHANGES.get([]).append(
            _masked(method, url, pairs or [], headers, answer, self.time.clock() - began)
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


def _members(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(value: object, otherwise: int) -> int:
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]  # what it cannot is caught
    except (TypeError, ValueError):
        return otherwise


def _masked(
    method: str,
    url: str,
    pairs: list[tuple[str, str]],
    headers: Mapping[str, str],
    answer: SiteAnswer,
    seconds: float,
) -> Exchange:
    """Note an exchange without its secrets."""
    sent = [(name, _hidden(name, value)) for name, value in pairs]
    sent += [(f"{name}:", _hidden(name, value)) for name, value in headers.items()]
    address, question, query = url.partition("?")
    if question:
        masked = [(name, _hidden(name, value)) for name, value in parse_qsl(query)]
        address += "?" + "&".join(f"{name}={value}" for name, value in masked)
    if answer.members:
        hidden = {name: _hidden(name, value) for name, value in answer.members.items()}
        body = json.dumps(hidden, ensure_ascii=False)
    else:
        body = answer.body[:200].decode("utf-8", "replace")
    secrets = [value for name, value in pairs if name in _SECRET_NAMES and value]
    for secret in secrets:  # a server may repeat in a text what it received
        body = body.replace(secret, f"({len(secret)} characters)")
    return Exchange(
        method=method,
        url=address,
        sent=sent,
        status=answer.status,
        headers={name: _hidden(name, value) for name, value in answer.headers.items()},
        body=body,
        seconds=round(seconds, 4),
    )


def _hidden(name: str, value: Any) -> Any:  # noqa: ANN401, any JSON
    if name.lower() not in _SECRET_NAMES | _SECRET_HEADERS:
        return value
    if name.lower() == "authorization" and isinstance(value, str):
        scheme, _, rest = value.partition(" ")
        return f"{scheme} ({len(rest)} characters)"
    return f"({len(str(value))} characters)"


JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*\Z")
"""What a JWT in its compact form looks like (RFC 7515 3.1)."""
