"""Errors of the API: problems (RFC 9457), one row each."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import structlog
from aiohttp import web

from deviceflow.admin.api.messages import Problem
from deviceflow.admin.grants import DecisionRefusal, Refused
from deviceflow.store.errors import StoreUnavailable

_RETRY_AFTER_S = 5
API_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

log = structlog.get_logger()


class _Kind(NamedTuple):
    """A kind of problem: its status, and what it means for every occurrence."""

    status: int
    title: str
    detail: str


PROBLEM_KINDS: dict[str, _Kind] = {
    "api_off": _Kind(
        404,
        "The API is off",
        "Set admin.token_file to a file with a token, and reload the server.",
    ),
    "unauthorized": _Kind(401, "A token is needed", "Send: Authorization: Bearer TOKEN."),
    "invalid_token": _Kind(401, "The token is not valid", "It is none of admin.token_file."),
    "invalid_request": _Kind(400, "The request cannot be read", ""),
    "not_found": _Kind(404, "Not found", "There is nothing at this address."),
    "method_not_allowed": _Kind(405, "This method is not offered", ""),
    "too_large": _Kind(413, "The body is too large", "It may have 16,384 bytes."),
    "unsupported_media_type": _Kind(
        415, "The body must be JSON", "Send it uncompressed, as application/json."
    ),
    "expectation_failed": _Kind(417, "Expectation failed", "Only 100-continue is known."),
    "server_error": _Kind(500, "The server made a mistake", "The log says more."),
    "temporarily_unavailable": _Kind(
        503,
        "The store cannot be used now",
        "What was asked for may or may not have happened. Send it again.",
    ),
    DecisionRefusal.EXPIRED: _Kind(410, "The grant has expired", "The device has to start again."),
    DecisionRefusal.CLAIMED: _Kind(
        409, "Another account has claimed the grant", "Only that account may decide."
    ),
    DecisionRefusal.DECIDED: _Kind(409, "The grant is decided", "A decision is final."),
    DecisionRefusal.CLIENT_DISABLED: _Kind(
        409, "The client is disabled", "The grant can be denied or cancelled."
    ),
    DecisionRefusal.SCOPE: _Kind(
        422, "The scope is too much", "Grant a part of the requested scope."
    ),
    DecisionRefusal.USER_DISABLED: _Kind(
        403, "The user is disabled", "This person may not approve anything."
    ),
    DecisionRefusal.SUBJECT_TAKEN: _Kind(
        409,
        "The subject is another user's",
        "The username belongs to another sub, or the sub to another username.",
    ),
}


class ApiError(Exception):
    """An answer with a problem: `error` is a key of PROBLEM_KINDS, `detail` replaces the kind's."""

    def __init__(
        self,
        error: str,
        detail: str = "",
        *,
        state: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.detail = detail
        self.state = state
        self.headers = dict(headers or {})


def problem_response(error: ApiError) -> web.Response:
    """Make the response for an error."""
    kind = PROBLEM_KINDS[error.error]
    problem = Problem(
        type="about:blank",
        title=kind.title,
        status=kind.status,
        detail=error.detail or kind.detail,
        error=error.error,
        state=error.state,
    )
    return web.Response(
        body=msgspec.json.encode(problem),
        status=kind.status,
        content_type="application/problem+json",
        headers=API_HEADERS | error.headers,
    )


def error_of(error: Exception) -> ApiError:
    """Return the problem that an exception of an endpoint is. Log it if it is unexpected."""
    match error:
        case ApiError():
            return error
        case Refused():
            return ApiError(error.refusal, state=error.grant.state if error.grant else "")
        case StoreUnavailable():
            retry = {"Retry-After": str(_RETRY_AFTER_S)}
            return ApiError("temporarily_unavailable", headers=retry)
        case web.HTTPMethodNotAllowed():
            # aiohttp allows HEAD for every GET.
            allowed = ", ".join(sorted(error.allowed_methods - {"HEAD"}))
            return ApiError("method_not_allowed", f"Use {allowed}.", headers={"Allow": allowed})
        case web.HTTPException() if error.status in _BY_STATUS:
            return ApiError(_BY_STATUS[error.status])
    log.error("request.failed", exc_info=error)
    return ApiError("server_error")


_BY_STATUS = {
    404: "not_found",
    413: "too_large",
    417: "expectation_failed",
}
