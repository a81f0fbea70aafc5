"""JSON answers: successful ones and errors (RFC 6749 sections 5.1 and 5.2)."""

import msgspec
import structlog
from aiohttp import web

from deviceflow.core.errors import OAuthError, invalid_request, temporarily_unavailable
from deviceflow.core.messages import ErrorResponse
from deviceflow.store.errors import StoreUnavailable

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""RFC 6749 5.1: caches must not store answers with tokens or codes."""

SERVER = "deviceflow"
"""The value of the Server header, on every path."""

CHALLENGE = 'Basic realm="deviceflow"'

ERROR_CODE = web.ResponseKey("error_code", str)
"""The error code of an answer, for the metrics."""

log = structlog.get_logger()

HTTP_ERRORS = {
    404: "There is no such endpoint.",
    405: "This endpoint does not answer that method.",
    413: "The body is too large.",
    417: "This server expects nothing but 100-continue.",
}


def json_response(message: object, *, status: int = 200, **headers: str) -> web.Response:
    """Make a JSON response that no cache may store."""
    return web.Response(
        body=msgspec.json.encode(message),
        status=status,
        content_type="application/json",
        headers=NO_STORE | headers,
    )


def error_response(error: OAuthError, *, interval: int = 0) -> web.Response:
    """Make the response for an error of RFC 6749 5.2, with its headers."""
    message = ErrorResponse(
        error=error.code, error_description=error.description, interval=interval
    )
    # RFC 6750 3: a request without a token gets no error code.
    bare = web.Response(status=error.status, headers=NO_STORE)
    response = json_response(message, status=error.status) if error.code else bare
    response[ERROR_CODE] = error.code
    if error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    response.headers.update(error.headers)
    if error.challenge:
        response.headers["WWW-Authenticate"] = CHALLENGE
    return response


def exception_response(error: Exception) -> web.Response:
    """Make the response for an exception of an endpoint. Log it if it is unexpected."""
    if isinstance(error, OAuthError):
        return error_response(error)
    if isinstance(error, StoreUnavailable):
        return error_response(temporarily_unavailable())
    if isinstance(error, web.HTTPException):
        text = HTTP_ERRORS.get(error.status, "The request cannot be answered.")
        if isinstance(error, web.HTTPMethodNotAllowed):
            # aiohttp allows HEAD for every GET.
            text += f" Use {' or '.join(sorted(error.allowed_methods - {'HEAD'}))}."
        response = error_response(invalid_request(text, status=error.status))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    log.error("request.failed", exc_info=error)
    return error_response(OAuthError("server_error", "The server made a mistake.", status=500))
