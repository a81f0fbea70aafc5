"""The lane: a pending poll answered straight from the bytes that arrived.

`recognition` reads one complete, ordinary token request. `verdict` judges it from memory. The
answer is prebuilt bytes: no task, no request object, no await. Whatever is not recognised to the
last byte stays untouched for the ordinary handler (`connection.py`), which gives the same answers
because both call `answer_poll`.

All devices of a kind send the same bytes except for the device code. So the lane remembers what
those bytes mean, and reads a poll of a known shape by one look into a table.
"""

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.core.clock import Clock
from deviceflow.core.device_code import CODE_LENGTH, DeviceCode
from deviceflow.core.grant import AUTHORIZATION_PENDING, PollAnswer
from deviceflow.core.holding import NO_HOLD, Hold
from deviceflow.oauth.poll.held import HeldPolls, preference_applied
from deviceflow.oauth.poll.later import IncompleteRequest
from deviceflow.oauth.poll.recognition import (
    CODE_VERIFIER,
    DEVICE_CODE,
    HEAD_END,
    MAX_HEAD,
    PollForm,
    needs_decoding,
    read_head,
    read_poll,
)
from deviceflow.oauth.poll.verdict import PollJudge, Verdict, answer_poll
from deviceflow.oauth.poll.wire import wire

REMEMBERED_SHAPES = 1024

_NAME_LENGTH = len(DEVICE_CODE)


class PollShape(Struct, frozen=True, gc=False):
    """All that a poll says beside its device code, and the hold that it gets while pending."""

    client_id: bytes
    close: bool
    hold: Hold


class LaneAnswer(Struct, frozen=True, gc=False):
    """An answer in bytes; with `close`, the connection ends after it."""

    data: bytes
    close: bool


_AnswerKind = tuple[PollAnswer, int, bool, int]
"""What distinguishes an answer: its code, the interval of slow_down (s), whether the connection
ends after it, and the seconds of `Preference-Applied` (0 without that header)."""


class WaitingPoll(NamedTuple):
    """A pending poll that is to be held."""

    code: DeviceCode
    hold: Hold
    close: bool


LaneResult = LaneAnswer | WaitingPoll | IncompleteRequest | None
"""None: the request is the ordinary handler's, and nothing has been done with it."""


class PollCounts(NamedTuple):
    """What the lane counts for an operator, in plain dictionaries (docs/decisions/0022).

    `by_answer`: every poll. `by_client`: those that are not simply told to wait, by client.
    """

    by_answer: dict[PollAnswer, int]
    by_client: dict[PollAnswer, defaultdict[bytes, int]]

    @classmethod
    def none(cls) -> "PollCounts":
        """Return counts in which nothing was counted yet."""
        return cls(
            dict.fromkeys(PollAnswer, 0), {answer: defaultdict(int) for answer in PollAnswer}
        )


class Lane:
    """Answers polls of public clients in one worker.

    `base` is what stands before the endpoint's path. `headers` is added to every answer. With
    `reads_no_origin`, a request with the header Origin goes to the ordinary handler, because its
    answer has other headers. A poll is counted when it is answered, a held one at its end.
    `enabled_by_default`: whether a client that does not say so itself may use the grant.
    """

    def __init__(
        self,
        judge: PollJudge,
        clients: Clients,
        clock: Clock,
        held: HeldPolls,
        *,
        base: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
        reads_no_origin: bool = False,
        counts: PollCounts | None = None,
        enabled_by_default: bool = True,
    ) -> None:
        self._judge = judge
        self._line = f"POST {base}/oauth2/token HTTP/1.1".encode()
        self._clients = clients
        self._clock = clock
        self._held = held
        self._held_grants = held.by_grant
        self._headers = headers
        self._reads_no_origin = reads_no_origin
        self._enabled_by_default = enabled_by_default
        self._shapes: dict[bytes, PollShape] = {}
        self._prebuilt: dict[_AnswerKind, LaneAnswer] = {}
        self._second = 0.0
        self._counts, self._counts_by_client = counts or PollCounts.none()
        clients.on_change(self._note_clients, self._note_client)
        self._note_clients()

    def take(self, data: bytes) -> LaneResult:
        """Answer `data`, the first bytes after a finished request, if they are a poll."""
        # A request that was read before, except for its device code, is not read again.
        start = data.find(DEVICE_CODE) + _NAME_LENGTH
        end = start + CODE_LENGTH
        shape = self._shapes.get(data[:start] + data[end:])
        if shape is not None:
            verdict = self._judge.judge(data[start:end], shape.client_id)
            # Without a good code, these 43 bytes may not even be one value: read strictly.
            if verdict.code is not None:
                return self._answer(verdict, shape)
        return self._read(data, start)

    def answer(
        self, answer: PollAnswer, interval: int = 0, *, close: bool, hold: Hold = NO_HOLD
    ) -> LaneAnswer:
        """Answer a poll that was to be held; `hold` if it was."""
        self._counts[answer] += 1
        return self._ready((answer, interval, close, hold.preference))

    def _ready(self, kind: _AnswerKind) -> LaneAnswer:
        """Return an answer of this kind, built once a second at most."""
        now = self._clock()
        if not 0 <= now - self._second < 1:
            # The Date header changes with the second, in either direction.
            self._prebuilt.clear()
            self._second = now // 1
        return self._prebuilt.get(kind) or self._build(kind)

    def _build(self, kind: _AnswerKind) -> LaneAnswer:
        answer, interval, close, preference = kind
        response = answer_poll(Verdict(answer, interval=interval))
        response.headers.update(preference_applied(preference))
        data = wire(response, self._clock(), self._headers, close=close)
        built = self._prebuilt[kind] = LaneAnswer(data, close)
        return built

    def _read(self, data: bytes, code_at: int) -> LaneResult:
        """Read a request of an unknown shape; `code_at`: where its first device code begins."""
        end = data.find(HEAD_END)
        head = read_head(data[:end]) if 0 < end <= MAX_HEAD else None
        if head is None or not head.is_form or head.line != self._line:
            return None
        if head.has_origin and self._reads_no_origin:
            return None
        body_at = end + len(HEAD_END)
        missing = body_at + head.content_length - len(data)
        if missing:
            return IncompleteRequest(missing) if missing > 0 else None
        form = read_poll(data[body_at:])
        if form is None or form.client_id not in self._served:
            return None
        hold = self._held.rule.of(head.wait, self._served[form.client_id])
        shape = PollShape(form.client_id, head.close, hold)
        # A code in a header would be cut out, and later read, there instead of in the body.
        if code_at > body_at:
            self._remember(data, code_at, form, shape)
        return self._answer(self._judge.judge(*form), shape)

    def _remember(self, data: bytes, code_at: int, form: PollForm, shape: PollShape) -> None:
        end = code_at + CODE_LENGTH
        if data[code_at:end] != form.device_code or len(form.device_code) != CODE_LENGTH:
            return
        # A code_verifier belongs to one device: no other would send the same bytes again.
        if CODE_VERIFIER in data:
            return
        if len(self._shapes) >= REMEMBERED_SHAPES:
            self._shapes.clear()
        self._shapes[data[:code_at] + data[end:]] = shape

    def _answer(self, verdict: Verdict, shape: PollShape) -> LaneResult:
        answer, code = verdict.answer, verdict.code
        if answer is None:
            return None
        if answer is not AUTHORIZATION_PENDING:
            self._counts_by_client[answer][shape.client_id] += 1
        elif shape.hold.seconds and code is not None:
            return WaitingPoll(code, shape.hold, shape.close)
        self._counts[answer] += 1
        if self._held_grants and code is not None:
            self._held.end_older(code.grant_id)
        return self._ready((answer, verdict.interval, shape.close, 0))

    def _note_clients(self) -> None:
        """Serve the clients that need no proof and whose names need no decoding."""
        # Each with its own `hold_s`.
        self._served = {
            each.client_id.encode(): each.hold_s for each in self._clients if self._is_served(each)
        }
        self._shapes.clear()

    def _note_client(self, before: Client | None, after: Client | None) -> None:
        if after is not None and self._is_served(after):
            self._served[after.client_id.encode()] = after.hold_s
            # A shape has the hold of its client.
            if before is not None and before.hold_s != after.hold_s:
                self._shapes.clear()
        elif before is not None and before.client_id.encode() in self._served:
            del self._served[before.client_id.encode()]
            self._shapes.clear()

    def _is_served(self, client: Client) -> bool:
        return (
            client.enabled
            and client.is_public
            and client.dpop == "optional"
            and client.uses_device_grant(by_default=self._enabled_by_default)
            and not needs_decoding(client.client_id.encode())
        )
