"""What a server's answers mean. Pure: bytes in, typed values out (RFC 8628 3.2 and 3.5)."""

from typing import Final, TypeVar

import msgspec

from deviceflow.device.errors import (
    AccessDenied,
    ExpiredToken,
    MalformedAnswerError,
    ServerError,
    UnavailableError,
)

# RFC 8628 3.2: "If no value is provided, clients MUST use 5 as the default."
DEFAULT_INTERVAL_S = 5
OK = 200
TOO_MANY_REQUESTS = 429
INTERNAL_ERROR = 500
_PREVIEW_CHARS = 60

_Answer = TypeVar("_Answer")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer, reduced to what decides anything here.

    `retry_after` is in seconds; `held` tells of `Preference-Applied: wait=...` (RFC 7240 3).
    """

    status: int
    body: bytes = b""
    retry_after: float | None = None
    held: bool = False


class DeviceAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    """The device authorization response, RFC 8628 3.2; `expires_in` and `interval` in seconds.

    `user_code` and the addresses are for the person; `device_code` is a secret of the device.
    """

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: int
    verification_uri_complete: str | None = None
    interval: int = DEFAULT_INTERVAL_S

    def __repr__(self) -> str:
        return f"DeviceAuthorization(verification_uri={self.verification_uri!r}, ...)"


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The token response, RFC 6749 5.1; `expires_in` in seconds.

    `answer` is the whole object as the server sent it, members that this class does not know
    included.
    """

    access_token: str
    token_type: str
    expires_in: int | None = None
    refresh_token: str | None = None
    scope: str | None = None
    id_token: str | None = None
    answer: dict[str, object] = {}

    def __repr__(self) -> str:
        return f"Tokens(token_type={self.token_type!r}, scope={self.scope!r}, ...)"


class StillPending(msgspec.Struct, frozen=True, kw_only=True):
    """`authorization_pending`; `held` when the server held the poll before it answered."""

    held: bool


class TooFast(msgspec.Struct, frozen=True, kw_only=True):
    """`slow_down`; `interval` is the server's new one in seconds, where it says so."""

    interval: int | None
    retry_after: float | None


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """No verdict on the grant: no connection, 5xx or 429. Ask again later."""

    reason: str
    retry_after: float | None = None


_ENDS: Final[dict[str, type[ServerError]]] = {
    "access_denied": AccessDenied,
    "expired_token": ExpiredToken,
}

PollAnswer = Tokens | AccessDenied | ExpiredToken | StillPending | TooFast | Unanswered


def printable(text: str) -> str:
    """Return a server's text without what a terminal would obey: controls, escapes, bidi marks."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def read_object(body: bytes) -> dict[str, object] | None:
    """Decode a JSON object, without members that are null; None if the body is anything else."""
    try:
        found = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return {name: value for name, value in found.items() if value is not None}


def read_authorization(reply: Reply) -> DeviceAuthorization:
    """Read the device authorization endpoint's answer.

    Raises ServerError (RFC 6749 5.2), UnavailableError (5xx, 429), MalformedAnswerError.
    """
    answer = read_object(reply.body)
    error = _error(answer, reply.status)
    if reply.status == TOO_MANY_REQUESTS or reply.status >= INTERNAL_ERROR:
        raise UnavailableError(reply.status, reply.retry_after)
    if error is not None:
        raise error
    found = _accepted(reply, answer, "device authorization endpoint")
    # Google's server predates the RFC and says "url".
    found.setdefault("verification_uri", found.get("verification_url"))
    authorization = _convert(found, DeviceAuthorization, "device authorization response")
    if authorization.expires_in <= 0 or authorization.interval < 0:
        raise MalformedAnswerError(
            "The server's device authorization response has a lifetime or an interval below zero."
        )
    return authorization


def read_poll(reply: Reply) -> PollAnswer:
    """Read the token endpoint's answer to a poll, RFC 8628 3.5.

    The error code decides before the status: servers send these codes with 400, 401, 403, 429 and
    even 200. Raises ServerError for any other code, MalformedAnswerError.
    """
    answer = read_object(reply.body)
    error = _error(answer, reply.status)
    if error is not None and answer is not None:
        if error.code == "authorization_pending":
            return StillPending(held=reply.held)
        if error.code == "slow_down":
            return TooFast(interval=_interval(answer), retry_after=reply.retry_after)
        if isinstance(error, AccessDenied | ExpiredToken):
            return error
    if reply.status == TOO_MANY_REQUESTS or reply.status >= INTERNAL_ERROR:
        return Unanswered(reason=f"HTTP {reply.status}", retry_after=reply.retry_after)
    if error is not None:
        raise error
    found = _accepted(reply, answer, "token endpoint")
    return _convert({**found, "answer": found}, Tokens, "token response")


def _error(answer: dict[str, object] | None, status: int) -> ServerError | None:
    code = (answer or {}).get("error")
    if answer is None or not isinstance(code, str):
        return None
    description = str(answer.get("error_description", ""))
    return _ENDS.get(code, ServerError)(printable(code), printable(description), status=status)


def _interval(answer: dict[str, object]) -> int | None:
    try:
        return msgspec.convert(answer.get("interval"), int | None, strict=False)
    except msgspec.ValidationError:
        return None  # an extra that few servers send; RFC 8628 3.5's five seconds hold without it


def _accepted(reply: Reply, answer: dict[str, object] | None, endpoint: str) -> dict[str, object]:
    if reply.status == OK and answer is not None:
        return answer
    start = printable(reply.body[: 4 * _PREVIEW_CHARS].decode("utf-8", "replace"))[:_PREVIEW_CHARS]
    what = "without an OAuth error" if answer is not None else f"and no JSON object ({start!r})"
    raise MalformedAnswerError(
        f"The server's {endpoint} answered HTTP {reply.status} {what}. Is the address right?"
    )


def _convert(found: dict[str, object], kind: type[_Answer], name: str) -> _Answer:
    try:
        # Not strict: some servers send the numbers as strings.
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise MalformedAnswerError(f"The server's {name} is not complete: {error}.") from error
