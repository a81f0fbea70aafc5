"""The meaning of a server's answers. Pure: bytes in, typed values out (RFC 8628 3.2 and 3.5)."""

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
# RFC 8259 8.1: a parser may ignore a byte order mark, and some servers send one.
_BOM = b"\xef\xbb\xbf"

_Answer = TypeVar("_Answer")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an HTTP answer that matter here.

    `retry_after` is in seconds. `held`: it has `Preference-Applied: wait=...` (RFC 7240 3).
    `redirect`: where it leads, without a path, which may have secrets in it; mostly empty.
    """

    status: int
    body: bytes = b""
    retry_after: float | None = None
    held: bool = False
    redirect: str = ""

    def __repr__(self) -> str:
        return f"Reply(status={self.status}, ...)"

    @property
    def is_unavailable(self) -> bool:
        """Whether the server cannot serve now: 429 or 5xx."""
        return self.status == TOO_MANY_REQUESTS or self.status >= INTERNAL_ERROR

    def __str__(self) -> str:
        """Describe the status: "HTTP 404", or "HTTP 302, a redirect to https://example.com"."""
        leads = f", a redirect to {self.redirect}" if self.redirect else ""
        return f"HTTP {self.status}{leads}"


class DeviceAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    """The device authorization response (RFC 8628 3.2). `expires_in` and `interval` in seconds.

    `user_code` and the addresses are for the person. `device_code` is a secret of the device.
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
    """The token response (RFC 6749 5.1). `expires_in` in seconds.

    `answer` is the whole object that the server sent, with members that this class does not have.
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
    """`authorization_pending`. `held`: the server held the poll before it answered."""

    held: bool


class TooFast(msgspec.Struct, frozen=True, kw_only=True):
    """`slow_down`. `interval`: the new interval in seconds, or None if the answer has none."""

    interval: int | None
    retry_after: float | None


class NoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """No answer about the grant: no connection, 5xx or 429. Poll again later."""

    reason: str
    retry_after: float | None = None


_ENDS: Final[dict[str, type[ServerError]]] = {
    "access_denied": AccessDenied,
    "expired_token": ExpiredToken,
}

PollAnswer = Tokens | AccessDenied | ExpiredToken | StillPending | TooFast | NoAnswer


def printable(text: str) -> str:
    """Remove what a terminal would interpret from a text: controls, escapes, bidi marks."""
    if text.isprintable():
        return text.strip()
    return "".join(character if character.isprintable() else " " for character in text).strip()


def read_object(body: bytes) -> dict[str, object] | None:
    """Decode a JSON object, without members that are null. Return None if it is not an object."""
    try:
        members = msgspec.json.decode(body.removeprefix(_BOM), type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return {name: value for name, value in members.items() if value is not None}


def read_authorization(reply: Reply) -> DeviceAuthorization:
    """Read the answer of the device authorization endpoint.

    May raise ServerError (RFC 6749 5.2), UnavailableError (5xx, 429), MalformedAnswerError.
    """
    members = _accepted(reply, _answered(reply), "device authorization endpoint")
    # Google's server is older than the RFC and sends "url".
    members.setdefault("verification_uri", members.get("verification_url"))
    authorization = _convert(members, DeviceAuthorization, "device authorization response")
    if authorization.expires_in <= 0 or authorization.interval < 0:
        raise MalformedAnswerError(
            "The server's device authorization response has a lifetime or an interval below zero."
        )
    return authorization


def read_poll(reply: Reply) -> PollAnswer:
    """Read the token endpoint's answer to a poll (RFC 8628 3.5).

    The error code counts before the status, because servers send these codes with 400, 401, 403,
    429 and even 200. May raise ServerError (any other error code), MalformedAnswerError.
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
    if reply.is_unavailable:
        return NoAnswer(reason=f"HTTP {reply.status}", retry_after=reply.retry_after)
    if error is not None:
        raise error
    return _tokens(_accepted(reply, answer, "token endpoint"))


def read_refresh(reply: Reply) -> Tokens:
    """Read the token endpoint's answer to a refresh (RFC 6749 6).

    May raise UnavailableError (5xx, 429), ServerError (`invalid_grant`: the login has ended),
    MalformedAnswerError.
    """
    return _tokens(_accepted(reply, _answered(reply), "token endpoint"))


def check_revocation(reply: Reply) -> None:
    """Check the answer of the revocation endpoint. Its 200 needs no body (RFC 7009 2.2).

    May raise UnavailableError (5xx, 429), ServerError, MalformedAnswerError.
    """
    answer = _answered(reply)
    if reply.status != OK:
        _accepted(reply, answer, "revocation endpoint")


def _tokens(members: dict[str, object]) -> Tokens:
    scope = members.get("scope")
    if isinstance(scope, list):  # Twitch sends a list; RFC 6749 3.3 has them separated by spaces
        scope = " ".join(map(str, scope))
    return _convert({**members, "scope": scope, "answer": members}, Tokens, "token response")


def _answered(reply: Reply) -> dict[str, object] | None:
    """Return the object of an answer that refuses nothing, None if it has no object."""
    if reply.is_unavailable:
        raise UnavailableError(reply.status, reply.retry_after)
    answer = read_object(reply.body)
    error = _error(answer, reply.status)
    if error is not None:
        raise error
    return answer


def _error(answer: dict[str, object] | None, status: int) -> ServerError | None:
    code = (answer or {}).get("error")
    # An empty code names no error: the caller says what is wrong with the answer.
    if answer is None or not isinstance(code, str) or not printable(code):
        return None
    description = str(answer.get("error_description", ""))
    return _ENDS.get(code, ServerError)(printable(code), printable(description), status=status)


def _interval(answer: dict[str, object]) -> int | None:
    try:
        return msgspec.convert(answer.get("interval"), int | None, strict=False)
    except msgspec.ValidationError:
        return None  # few servers send it; without it, RFC 8628 3.5 adds five seconds


def _accepted(reply: Reply, answer: dict[str, object] | None, endpoint: str) -> dict[str, object]:
    if reply.status == OK and answer is not None:
        return answer
    start = printable(reply.body[: 4 * _PREVIEW_CHARS].decode("utf-8", "replace"))[:_PREVIEW_CHARS]
    what = "without an OAuth error" if answer is not None else f"and no JSON object ({start!r})"
    raise MalformedAnswerError(
        f"The server's {endpoint} answered {reply} {what}. Is the address right?"
    )


def _convert(members: dict[str, object], kind: type[_Answer], name: str) -> _Answer:
    try:
        # Not strict, because some servers send numbers as strings.
        return msgspec.convert(members, kind, strict=False)
    except msgspec.ValidationError as error:
        raise MalformedAnswerError(f"The server's {name} is not complete: {error}.") from error
