"""What all pages of the console share: who may see them, their forms, their templates."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deviceflow.admin.console.session import ConsoleSessions
from deviceflow.admin.console.templates import CONSOLE_HEADERS, ROOT, ConsoleTemplates
from deviceflow.admin.host_check import is_own_host
from deviceflow.admin.operators import OPERATOR
from deviceflow.callers import media_type
from deviceflow.core.form import FormError, parse_form
from deviceflow.store.errors import StoreUnavailable

SIGN_IN = f"{ROOT}/sign-in"

_WORDS = {
    400: ("This form cannot be read", "Go back, reload the page, and try again."),
    403: ("This form is not from here", "Go back, reload the page, and try again."),
    404: ("Nothing is here", "The address is wrong, or what it showed has ended."),
    405: ("This cannot be opened", "Go back to the overview."),
    413: ("This is too much", "Send less."),
    503: ("The store is away", "Nothing can be looked up or changed now. Try again soon."),
}
_UNEXPECTED = ("The server made a mistake", "The log says more.")

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Lets in operators with a session, reads their forms, shows pages.

    `hosts`: the names by which the console may be reached, in lower case.
    """

    sessions: ConsoleSessions
    templates: ConsoleTemplates
    hosts: Collection[str]

    def middleware(self) -> Middleware:
        """Return what guards all pages but the one for signing in, and answers errors."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not is_own_host(request.host, self.hosts):
                return self._refuse_host(request)
            operator = self.sessions.operator(request)
            if operator is not None:
                request[OPERATOR] = operator
            elif not request.path.startswith((SIGN_IN, f"{ROOT}/static/")):
                return lead_to(SIGN_IN)
            return await self._answer(request, handler)

        return guard

    async def read(self, request: web.Request) -> Mapping[str, str]:
        """Read a form that a page of this session made. May raise web.HTTPException."""
        form = await read_console_form(request)
        if not self.sessions.is_own_form(request, form.get("form_token", "")):
            raise web.HTTPForbidden
        return form

    def show(
        self, request: web.Request, template: str, context: Mapping[str, Any], status: int = 200
    ) -> web.Response:
        """Answer with a page whose forms are this session's own."""
        own = {
            "operator": request.get(OPERATOR),
            "form_token": self.sessions.form_token(request),
        }
        return self.templates.page(template, own | dict(context), status)

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            status = error.status
        except StoreUnavailable:
            status = 503
        except ConnectionError:
            raise
        except Exception:
            log.exception("request.failed")
            status = 500
        return self._error_page(request, status)

    def _error_page(self, request: web.Request, status: int) -> web.Response:
        title, text = _WORDS.get(status, _UNEXPECTED)
        return self.show(request, "error.html", {"title": title, "text": text}, status)

    def _refuse_host(self, request: web.Request) -> web.Response:
        log.warning("console.host_refused", remedy="list the name in admin.hosts")
        title = "The console is not known by this name"
        text = "Open it by an address, as localhost, or list the name in admin.hosts."
        return self.show(request, "error.html", {"title": title, "text": text}, 403)


async def read_console_form(request: web.Request) -> Mapping[str, str]:
    """Read a form of this origin. May raise web.HTTPException."""
    origin = request.headers.get("Origin", "")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    is_same = not origin or origin.partition("://")[2] == request.host
    if not is_same or site not in {"same-origin", "none"}:
        raise web.HTTPForbidden
    if media_type(request) != "application/x-www-form-urlencoded":
        raise web.HTTPBadRequest
    try:
        return parse_form(await request.read()).fields
    except FormError as error:
        raise web.HTTPBadRequest from error


def lead_to(address: str) -> web.Response:
    """Lead to a page of the console (303)."""
    return web.Response(status=303, headers=CONSOLE_HEADERS | {"Location": address})
