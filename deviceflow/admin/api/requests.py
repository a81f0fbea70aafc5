"""Requests of the API: who sends them, and what is in them."""

import re
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deviceflow.admin.api.problems import API_HEADERS, ApiError, error_of, problem_response
from deviceflow.admin.operators import OPERATOR
from deviceflow.admin.tokens import AdminTokens
from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.callers import media_type
from deviceflow.ops.thinned_log import ThinnedLog

_CHALLENGE = 'Bearer realm="deviceflow admin"'
JSON = "application/json"

_NUMBER = re.compile(r"[1-9][0-9]{0,2}")

Sent = TypeVar("Sent", bound=msgspec.Struct)

log = structlog.get_logger()


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with a problem (RFC 9457)."""
    try:
        return await handler(request)
    except ConnectionError:
        # The client has gone, so there is nothing to answer.
        raise
    except Exception as error:  # noqa: BLE001, the last place that can log and answer it
        return problem_response(error_of(error))


@dataclass(frozen=True, kw_only=True)
class BearerTokens:
    """Lets in requests with a token of an operator (RFC 6750 2.1). `open_path` needs none."""

    tokens: AdminTokens
    open_path: str
    refusals: ThinnedLog
    audit: Audit

    def middleware(self) -> Middleware:
        """Return the middleware."""

        @web.middleware
        async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path != self.open_path:
                request[OPERATOR] = self._operator(request)
            return await handler(request)

        return authenticate

    def _operator(self, request: web.Request) -> str:
        """Return the name of the token. May raise ApiError."""
        lines = request.headers.getall("Authorization", [])
        if not lines:
            # RFC 6750 3: a request without a token gets no error code in the challenge.
            raise ApiError("unauthorized", headers={"WWW-Authenticate": _CHALLENGE})
        scheme, _, token = lines[0].partition(" ")
        name = None
        if len(lines) == 1 and scheme.lower() == "bearer":
            name = self.tokens.name_of(token.strip(" "))
        if name is None:
            self._note_refusal(request)
            challenge = f'{_CHALLENGE}, error="invalid_token"'
            raise ApiError("invalid_token", headers={"WWW-Authenticate": challenge})
        return name

    def _note_refusal(self, request: web.Request) -> None:
        self.audit.record(
            SecurityEvent.OPERATOR_REFUSED,
            outcome="failure",
            way="api",
            address=request.remote or "",
        )
        line = self.refusals.note((request.remote or "a Unix socket",))
        if line is not None:
            (address,), times = line
            log.warning("admin.refused", address=address, reason="unknown token", times=times)


def read_limit(request: web.Request, *, usual: int, most: int) -> int:
    """Read how many entries the answer may have, `usual` if the query does not say.

    `most`: up to 999. May raise ApiError.
    """
    text = request.query.get("limit", str(usual))
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise ApiError("invalid_request", f"`limit` is a number from 1 to {most}.")
    return int(text)


async def read_body(request: web.Request, model: type[Sent]) -> Sent:
    """Read a JSON body. May raise ApiError, which names the member that is wrong."""
    if media_type(request) != JSON or "Content-Encoding" in request.headers:
        raise ApiError("unsupported_media_type")
    try:
        return msgspec.json.decode(await request.read(), type=model)
    except msgspec.ValidationError as error:
        raise ApiError("invalid_request", f"{error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("invalid_request", "The body is not JSON in UTF-8.") from error


def api_response(message: object) -> web.Response:
    """Make a JSON response that no cache may store."""
    body = msgspec.json.encode(message)
    return web.Response(body=body, content_type=JSON, headers=API_HEADERS)
