"""Errors for people: what happened, what it means and what to do next.

`error_page` turns whatever a page raised into a page. Errors for machines are `oauth`'s.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlencode

import structlog
from aiohttp import web

from deviceflow.pages.languages import speak_to
from deviceflow.pages.render import BASE, USER_CODE, render, written
from deviceflow.pages.texts import gettext, ngettext
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.hashing import HashingBusy

RETRY_AFTER_S = 5
"""When to try again after the store could not be reached, seconds."""

RETRY_AFTER_BUSY_S = 40
"""When to try again if too many people sign in: those who wait now are through by then, s."""

log = structlog.get_logger()


class Surroundings(NamedTuple):
    """What an error page has besides the error: who is signed in, and the code to lead on with.

    `meet` returns what the template says about the visitor; it may raise `StoreUnavailable`.
    `carry` writes a code again, as in `Codes`.
    """

    meet: Callable[[web.Request], Awaitable[Mapping[str, Any]]]
    carry: Callable[[str], str]


SURROUNDINGS = web.AppKey("surroundings", Surroundings)


class Button(NamedTuple):
    """The button at the end of a page: a path of this server, and the words on it.

    An address of the issuer, in full, is for a person who is at another one.
    """

    path: str
    words: str


class PageError(Exception):
    """An answer other than the page that the request named.

    `happened` says what happened and what it means, `next_step` what to do; both are whole
    sentences. `headers` are added to the answer. `button`: None leads to the page for a code.
    """

    def __init__(
        self,
        status: int,
        *,
        title: str,
        happened: str,
        next_step: str,
        headers: Mapping[str, str] | None = None,
        button: Button | None = None,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.happened = happened
        self.next_step = next_step
        self.headers = dict(headers or {})
        self.button = button or Button("/device", gettext("button.start_again"))


async def error_page(request: web.Request, exc: Exception) -> web.Response:
    """Answer with the page for `exc`; an unexpected one is logged and becomes a 500."""
    # A request that aiohttp refuses by itself has not come through `answering_in_language`.
    speak_to(request)
    error = _explain(exc)
    if error.status == web.HTTPInternalServerError.status_code:
        log.error("page.failed", method=request.method, path=request.path, exc_info=exc)
    person: Mapping[str, Any] = {"person": None, "csrf_token": ""}
    # Without its store a page about that cannot say who is signed in, and should not try.
    if SURROUNDINGS in request.app and not isinstance(exc, StoreUnavailable):
        with suppress(StoreUnavailable):
            person = await request.app[SURROUNDINGS].meet(request)
    context = {"error": error, "address": _address(request, error.button)} | dict(person)
    response = render(request, "error.html", context, status=error.status)
    response.headers.update(error.headers)
    return response


def written_page(app: web.Application, error: PageError) -> Callable[[], web.Response]:
    """Return what answers with the page for `error`, whatever the request."""
    address = app[BASE] + error.button.path
    context = {"error": error, "address": address, "person": None, "csrf_token": ""}
    return written(app, "error.html", context, status=error.status)


def _address(request: web.Request, button: Button) -> str:
    """Return where a button leads: with the code that the person came with, if there is one."""
    path = button.path
    address = path if "://" in path else request.app[BASE] + path
    text = request.get(USER_CODE, "") or request.query.get("user_code", "")
    is_form = path.endswith("/device")
    if SURROUNDINGS not in request.app or not is_form:
        return address
    code = request.app[SURROUNDINGS].carry(text)
    return f"{address}?{urlencode({'user_code': code})}" if code else address


def _explain(exc: Exception) -> PageError:
    if isinstance(exc, PageError):
        return exc
    if isinstance(exc, StoreUnavailable):
        return _store_unavailable()
    if isinstance(exc, HashingBusy):
        return _busy()
    if isinstance(exc, web.HTTPClientError):
        return _refused(exc)
    return _unexpected()


def _refused(exc: web.HTTPClientError) -> PageError:
    """Make the error for a request that aiohttp itself refused."""
    make = {404: _not_found, 405: _wrong_method, 413: too_large}.get(exc.status, unreadable)
    error = make()
    if "Allow" in exc.headers:
        error.headers["Allow"] = exc.headers["Allow"]
    return error


def unreadable() -> PageError:
    """Make the error for a form that cannot be read without guessing."""
    return PageError(
        400,
        title=gettext("error.unreadable.title"),
        happened=gettext("error.unreadable.happened"),
        next_step=gettext("error.unreadable.next_step"),
    )


def wrong_type() -> PageError:
    """Make the error for a body that is not a form."""
    return PageError(
        415,
        title=gettext("error.wrong_type.title"),
        happened=gettext("error.wrong_type.happened"),
        next_step=gettext("error.wrong_type.next_step"),
    )


def too_large() -> PageError:
    """Make the error for a body over the limit."""
    return PageError(
        413,
        title=gettext("error.too_large.title"),
        happened=gettext("error.too_large.happened"),
        next_step=gettext("error.too_large.next_step"),
    )


def uri_too_long() -> PageError:
    """Make the error for an address over the limit."""
    return PageError(
        414,
        title=gettext("error.uri_too_long.title"),
        happened=gettext("error.uri_too_long.happened"),
        next_step=gettext("error.uri_too_long.next_step"),
        button=Button("/device", gettext("button.connect_device")),
    )


def cookies_too_large() -> PageError:
    """Make the error for a header over the limit: in a browser, these are cookies."""
    return PageError(
        431,
        title=gettext("error.cookies_too_large.title"),
        happened=gettext("error.cookies_too_large.happened"),
        next_step=gettext("error.cookies_too_large.next_step"),
        button=Button("/device", gettext("button.try_again")),
    )


def too_many(
    attempts: str, retry_after_s: int, *, hints: Sequence[str], button: Button
) -> PageError:
    """Make the error for a limit.

    `attempts`: a sentence that says what was tried too often. `hints`: sentences that say what
    else there is to know before the next attempt.
    """
    seconds = max(1, retry_after_s)
    wait = waiting(seconds)
    return PageError(
        429,
        title=gettext("error.too_many.title", wait=wait),
        happened=gettext("error.too_many.happened", attempts=attempts),
        next_step=" ".join([gettext("error.too_many.next_step", wait=wait), *hints]),
        headers={"Retry-After": str(seconds)},
        button=button,
    )


def waiting(seconds: int) -> str:
    """Say `seconds` in a unit in which it is 2 or more, rounded up: nobody comes back too early."""
    if seconds < 60:  # noqa: PLR2004, a minute
        return ngettext("error.too_many.second", "error.too_many.seconds", seconds)
    if seconds <= 7200:  # noqa: PLR2004, two hours
        return ngettext("error.too_many.minute", "error.too_many.minutes", -(-seconds // 60))
    return ngettext("error.too_many.hour", "error.too_many.hours", -(-seconds // 3600))


def _not_found() -> PageError:
    return PageError(
        404,
        title=gettext("error.not_found.title"),
        happened=gettext("error.not_found.happened"),
        next_step=gettext("error.not_found.next_step"),
        button=Button("/device", gettext("button.connect_device")),
    )


def _wrong_method() -> PageError:
    return PageError(
        405,
        title=gettext("error.wrong_method.title"),
        happened=gettext("error.wrong_method.happened"),
        next_step=gettext("error.wrong_method.next_step"),
    )


def _store_unavailable() -> PageError:
    return PageError(
        503,
        title=gettext("error.store_unavailable.title"),
        happened=gettext("error.store_unavailable.happened"),
        next_step=gettext("error.store_unavailable.next_step"),
        headers={"Retry-After": str(RETRY_AFTER_S)},
        button=Button("/device", gettext("button.try_again")),
    )


def _busy() -> PageError:
    return PageError(
        503,
        title=gettext("error.busy.title"),
        happened=gettext("error.busy.happened"),
        next_step=gettext("error.busy.next_step"),
        headers={"Retry-After": str(RETRY_AFTER_BUSY_S)},
        button=Button("/device", gettext("button.try_again")),
    )


def _unexpected() -> PageError:
    return PageError(
        500,
        title=gettext("error.unexpected.title"),
        happened=gettext("error.unexpected.happened"),
        next_step=gettext("error.unexpected.next_step"),
    )
