"""Errors of the API: problems (RFC 9457), one row each."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import structlog
from aiohttp import web

from deviceflow.admin.api.messages import Problem
from deviceflow.admin.grants import Refusal, Refused
from deviceflow.store.errors import StoreUnavailable

RETRY_AFTER_S = 5
NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

log = structlog.get_logger()


class Kind(NamedTuple):
    """A kind of problem: its status, and what it means for every occurrence."""

    status: int
    title: str
    detail: str


KINDS: dict[str, Kind] = {
    "api_off": Kind(
        404,
        "The API is off",
        "Set admin.token_file to a file with a token, and reload the server.",
    ),
    "unauthorized": Kind(401, "A token is needed", "Send: Authorization: Bearer TOKEN."),
    "invalid_token": Kind(401, "The token is not valid", "It is none of admin.token_file."),
    "invalid_request": Kind(400, "The request cannot be read", ""),
    "not_found": Kind(404, "Not found", "There is nothing at this address."),
    "method_not_allowed": Kind(405, "This method is not offered", ""),
    "too_large": Kind(413, "The body is too large", "It may have 16,384 bytes."),
    "unsupported_media_type": Kind(
        415, "The body must be JSON", "Send it uncompressed, as application/json."
    ),
    "expectation_failed": Kind(417, "Expectation failed", "Only 100-continue is understood."),
    "server_error": Kind(500, "The server made a mistake", "The log says more."),
    "temporarily_unavailable": Kind(
        503,
        "The store cannot be used now",
        "What was asked for may or may not have happened. Send it again.",
    ),
    Refusal.EXPIRED: Kind(410, "The grant has expired", "The device has to start again."),
    Refusal.CLAIMED: Kind(
        409, "Another account has claimed the grant", "Only that account may decide."
    ),
    Refusal.DECIDED: Kind(409, "The grant is decided", "A decision is final."),
    Refusal.CLIENT_DISABLED: Kind(
        409, "The client is disabled", "The grant can be denied or cancelled."
    ),
    Refusal.SCOPE: Kind(422, "The scope is too much", "Grant a part of the requested scope."),
    Refusal.USER_DISABLED: Kind(
        403, "The user is disabled", "This person may not approve anything."
    ),
    Refusal.SUBJECT_TAKEN: Kind(
        409,
        "The subject is another user's",
        "The username belongs to another sub, or the sub to another username.",
    ),
}


class ApiError(Exception):
    """An answer with a problem. `error`: a key of KINDS. `detail`: in place of the kind's."""

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
    kind = KINDS[error.error]
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
        headers=NO_STORE | error.headers,
    )


def error_of(error: Exception) -> ApiError:
    """Return the problem that an exception of an endpoint is. Log it if it is unexpected."""
    match error:
        case ApiError():
            return error
        case Refused():
            return ApiError(error.refusal, state=error.grant.state if error.grant else "")
        case StoreUnavailable():
            retry = {"Retry-After": str(RETRY_AFTER_S)}
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
