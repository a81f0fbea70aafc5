"""The common part of all answers: uncaught errors, and the Server header."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deviceflow.audit.request_context import request_from
from deviceflow.callers import Callers
from deviceflow.oauth.answers import SERVER, exception_response
from deviceflow.oauth.cors import Cors
from deviceflow.oauth.poll.oversize import AnswerOversize, OversizeHead, answer_machine
from deviceflow.pages.errors import cookies_too_large, error_page, uri_too_long, written_page
from deviceflow.pages.languages import LANGUAGES
from deviceflow.pages.texts import speaking

MACHINE_PATHS = ("/oauth2/", "/.well-known/")

RequestHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


async def name_server(_: web.Request, response: web.StreamResponse) -> None:
    """Set the Server header, without a version."""
    response.headers["Server"] = SERVER


def noting_requests(callers: Callers) -> Middleware:
    """Return the middleware that notes the request that runs, for the audit."""

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        with request_from(partial(callers.address, request)):
            return await handler(request)

    return note


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error: with JSON for a machine, and with a page for a person."""
    try:
        return await handler(request)
    except ConnectionError:
        # The client has gone, so there is nothing to answer.
        raise
    except Exception as error:  # noqa: BLE001, the last place that can log and answer it
        return await _answer(request, error)


def answering_expectations(handle: RequestHandler) -> RequestHandler:
    """Wrap `handle` so that a refused `Expect` (RFC 9110 10.1.1) gets this server's own answer.

    aiohttp checks that header before any middleware runs, even for a path that does not exist.
    Its own answer repeats the value of the header, and it fails on a value that is not UTF-8.
    """

    async def answer_all(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handle(request)
        except (web.HTTPExpectationFailed, UnicodeEncodeError) as error:
            is_of_header = not request.headers.get("Expect", "").isascii()
            refusal = web.HTTPExpectationFailed() if is_of_header else error
            # aiohttp passes a web.Request here; only the annotation says BaseRequest.
            return await _answer(cast("web.Request", request), refusal)

    return answer_all


def answering_oversize(app: web.Application, cross_origin: Cors) -> AnswerOversize:
    """Return what answers a head that is too large: in JSON a machine, in a page a person.

    No signal of aiohttp sees such an answer, so the headers for other origins are added here. The
    pages are made once, because such a request cannot say anything that would be in them. A
    browser sends Accept before the cookies; if it did not arrive, the path decides alone. The
    pages are in the default language.
    """
    with speaking(app[LANGUAGES].default):
        pages = {
            error.status: written_page(app, error)
            for error in (uri_too_long(), cookies_too_large())
        }

    def answer(head: OversizeHead) -> web.StreamResponse:
        accepts_page = head.accept is None or "text/html" in head.accept
        if accepts_page and not any(part in head.target for part in MACHINE_PATHS):
            return pages[head.status]()
        response = answer_machine(head)
        response.headers.update(cross_origin.headers(head.path, head.origin))
        return response

    return answer


def ending_connections(handle: RequestHandler, is_ending: Callable[[], bool]) -> RequestHandler:
    """Wrap `handle` so that a connection ends after its answer while `is_ending`."""

    async def answer_last(request: web.BaseRequest) -> web.StreamResponse:
        response = await handle(request)
        if is_ending():
            response.force_close()
        return response

    return answer_last


async def _answer(request: web.Request, error: Exception) -> web.StreamResponse:
    if any(part in request.path for part in MACHINE_PATHS):
        return exception_response(error)
    return await error_page(request, error)
