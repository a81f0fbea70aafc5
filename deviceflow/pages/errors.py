"""Errors for people: what happened, what it means and what to do next.

`error_page` turns whatever a page raised into a page. Errors for machines are `oauth`'s.
"""

from collections.abc import Mapping
from typing import NamedTuple

import structlog
from aiohttp import web

from deviceflow.pages.render import render
from deviceflow.store.errors import StoreUnavailable

STORE_RETRY_S = 5
"""When to try again after the store could not be reached, seconds."""

_log = structlog.get_logger(__name__)


class Link(NamedTuple):
    """Where a page leads next: a path of ours, and the words on the button."""

    path: str
    words: str


START = Link("/device", "Start again")


class PageError(Exception):
    """An answer other than the page that was asked for.

    `happened` says what happened and what it means, `next_step` what to do; both are whole
    sentences. `headers` are added to the answer, `link` is the button at the end.
    """

    def __init__(
        self,
        status: int,
        title: str,
        happened: str,
        next_step: str,
        *,
        headers: Mapping[str, str] | None = None,
        link: Link | None = START,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.happened = happened
        self.next_step = next_step
        self.headers = dict(headers or {})
        self.link = link


async def error_page(request: web.Request, exc: Exception) -> web.Response:
    """Answer with the page for `exc`; what nobody expected is logged and becomes a 500."""
    error = _explain(exc)
    if error.status == web.HTTPInternalServerError.status_code:
        _log.error("page.failed", method=request.method, path=request.path, exc_info=exc)
    response = render(request, "error.html", {"error": error}, status=error.status)
    response.headers.update(error.headers)
    return response


def _explain(exc: Exception) -> PageError:
    if isinstance(exc, PageError):
        return exc
    if isinstance(exc, StoreUnavailable):
        return _store_unavailable()
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
        "The form could not be read",
        "What your browser sent was damaged or incomplete, so this server did not guess what it "
        "meant. Nothing was changed.",
        "Open the page anew and fill in the form again.",
    )


def wrong_type() -> PageError:
    """Make the error for a body that is not a form."""
    return PageError(
        415,
        "That was not a form",
        "This page takes what its own form sends (application/x-www-form-urlencoded) and nothing "
        "else. Nothing was changed.",
        "Open the page in your browser and use its form.",
    )


def too_large() -> PageError:
    """Make the error for a body over the limit."""
    return PageError(
        413,
        "That was too much",
        "The form was larger than any that this server needs, so it was not read. "
        "Nothing was changed.",
        "Open the page anew and fill in the form again, with less in it.",
    )


def too_many(what: str, retry_after_s: int) -> PageError:
    """Make the error for a limit; `what`: what there was too much of, as a sentence."""
    seconds = max(1, retry_after_s)
    minutes = -(-seconds // 60)
    wait = f"{seconds} seconds" if seconds < 60 else "1 minute"  # noqa: PLR2004, a minute
    if minutes > 1:
        wait = f"{minutes} minutes"
    return PageError(
        429,
        "Please wait a little",
        f"{what} The pause keeps strangers from guessing. Nothing is locked for good.",
        f"Wait {wait}, then try again.",
        headers={"Retry-After": str(seconds)},
    )


def _not_found() -> PageError:
    return PageError(
        404,
        "There is no such page",
        "The address is not one of this server's. It may have been mistyped or cut off.",
        "To connect a device, start at the page below.",
        link=Link("/device", "Connect a device"),
    )


def _wrong_method() -> PageError:
    return PageError(
        405,
        "This page cannot be used like that",
        "The page exists, but not for this kind of request. Nothing was changed.",
        "Open the page in your browser and use its buttons.",
    )


def _store_unavailable() -> PageError:
    return PageError(
        503,
        "Not possible at the moment",
        "This server cannot reach its store, so it can neither look up a code nor keep a "
        "decision. Nothing that was confirmed before is lost, and your device goes on waiting.",
        "Try again in a few seconds.",
        headers={"Retry-After": str(STORE_RETRY_S)},
        link=Link("/device", "Try again"),
    )


def _unexpected() -> PageError:
    return PageError(
        500,
        "Something went wrong on our side",
        "This server made a mistake that it did not expect. It has been noted. "
        "It is not certain whether your last step was done.",
        "Start again. If this page comes back, tell the people who run this server.",
    )
