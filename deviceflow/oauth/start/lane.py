"""The lane of starts: a grant is started straight from the bytes that arrived.

Recognised are the starts of public clients that send nothing unusual (`recognition`). What the
ordinary way does in middlewares is done here by the same functions: the id of the request, the
address that the audit names, the count of answers, the headers for other origins. The grant itself
is started by `grant_start`, as there. No request object and no response object is made.

All devices of a kind send the same bytes, so the lane remembers what those bytes mean. Behind a
proxy that names the device's address, they are read each time.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from deviceflow.audit.request_context import note_address
from deviceflow.callers import Callers
from deviceflow.core.address import peer_address
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.core.errors import OAuthError
from deviceflow.oauth.answers import exception_response
from deviceflow.oauth.poll.later import Answered, IncompleteRequest, Write
from deviceflow.oauth.start.grant_start import GrantStart, StartTerms
from deviceflow.oauth.start.recognition import PlainStart, read_start
from deviceflow.oauth.start.written import WrittenAnswers
from deviceflow.ops.metrics.responses import MACHINE, count_response
from deviceflow.ops.request_id import HEADER, PARENT, id_in, name_request, new_id
from deviceflow.policy.phishing import ClientRules, rules_of

REMEMBERED_STARTS = 1024
_REMEMBERED_LENGTH = 1024

_ID, _PARENT = HEADER.lower(), PARENT


class StartShape(NamedTuple):
    """What the bytes of a request mean, whoever sends them, as long as its client is the same."""

    plain: PlainStart
    terms: StartTerms
    rules: ClientRules


class WaitingStart:
    """A start that was taken. `close`: the client wants the connection to end after it."""

    __slots__ = ("_address", "_lane", "_request_id", "_terms", "close")

    def __init__(self, lane: "StartLane", shape: StartShape, address: str, request_id: str) -> None:
        self._lane = lane
        self._terms = shape.terms
        self._address = address
        self._request_id = request_id
        self.close = shape.plain.close

    def begin(self, answered: Answered) -> None:
        """Start the grant."""
        self._lane.run(self._terms, self._address, self._request_id, answered)


class StartLane:
    """Starts grants of public clients in one worker.

    `base`, `headers` and `reads_no_origin` are as in the lane of polls. `finish_s`: how long a stop
    waits for what was taken.
    """

    def __init__(
        self,
        starts: GrantStart,
        clients: Clients,
        callers: Callers,
        *,
        base: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
        reads_no_origin: bool = False,
        finish_s: float = 0.0,
    ) -> None:
        self._starts = starts
        self._clients = clients
        self._callers = callers
        self._recorder = starts.recorder
        self._line = f"POST {base}/oauth2/device_authorization HTTP/1.1".encode()
        self._names = frozenset({callers.header, _ID, _PARENT})
        self._reads_no_origin = reads_no_origin
        self._finish_s = finish_s
        self._shapes: dict[bytes, StartShape] = {}
        self._answers = WrittenAnswers(starts.clock, headers)
        self._running: set[asyncio.Task[None]] = set()

    def take(self, data: bytes, peername: object) -> WaitingStart | IncompleteRequest | None:
        """Take `data` if it is a start that nothing refuses before its limits."""
        shape = self._shapes.get(data)
        if shape is None or self._clients.find(shape.plain.client_id) is not shape.terms.client:
            read = read_start(data, self._line, self._names)
            if read is None or isinstance(read, IncompleteRequest):
                return read
            shape = self._shape(read)
            if shape is None:
                return None
            self._remember(data, shape)
        peer = peer_address(peername)
        lines = shape.plain.lines
        address = self._callers.address_behind(peer, lines[self._callers.header])
        if not shape.rules.may_start(address):
            return None
        is_believed = self._callers.is_proxy(peer)
        request_id = id_in(lines[_ID], lines[_PARENT]) if is_believed else ""
        return WaitingStart(self, shape, address, request_id or new_id())

    def run(self, terms: StartTerms, address: str, request_id: str, answered: Answered) -> None:
        """Start a grant in a task of its own, and have the answer written."""
        task = asyncio.create_task(self._run(terms, address, request_id, answered))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self) -> None:
        """Wait until all that was taken is answered."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._finish_s)

    async def _run(
        self, terms: StartTerms, address: str, request_id: str, answered: Answered
    ) -> None:
        name_request(request_id)
        note_address(address)
        status, write = await self._answer(terms, address, request_id)
        count_response(self._recorder, MACHINE, status)
        answered(write)

    async def _answer(self, terms: StartTerms, address: str, request_id: str) -> tuple[int, Write]:
        """Start a grant; return the status of the answer, and what writes it."""
        try:
            attempt = await self._starts.attempt(terms.client, address)
            message = await self._starts.start(attempt, terms)
        except Exception as error:  # noqa: BLE001, the last place that can log and answer it
            response = exception_response(error)
            response.headers[HEADER] = request_id
            return response.status, lambda close: self._answers.other(response, close=close)
        body = msgspec.json.encode(message)
        return 200, lambda close: self._answers.codes(body, request_id, close=close)

    def _shape(self, plain: PlainStart) -> StartShape | None:
        """Return what a request means, or None if the ordinary handler has to see it."""
        client = self._clients.find(plain.client_id)
        if client is None or (plain.has_origin and self._reads_no_origin):
            return None
        rules = rules_of(client, self._starts.settings)
        if not rules.uses_device_grant or not _is_served(client):
            return None
        try:
            terms = self._starts.terms(client, plain.scope, (), plain.user_agent)
        except OAuthError:
            return None
        return StartShape(plain, terms, rules)

    def _remember(self, data: bytes, shape: StartShape) -> None:
        if len(data) > _REMEMBERED_LENGTH:
            return
        if len(self._shapes) >= REMEMBERED_STARTS:
            self._shapes.clear()
        self._shapes[data] = shape


def _is_served(client: Client) -> bool:
    """Return whether a client's name is all that it has to send."""
    return (
        client.enabled
        and client.is_public
        and client.dpop == "optional"
        and client.pkce == "optional"
    )
