"""GET and POST /oauth2/authorize: the authorization endpoint that OpenID Connect requires.

Client libraries refuse metadata without an `authorization_endpoint` (OpenID Connect Discovery 3),
even if they use the device grant only. So there is one, and it refuses every request: in a page for
a person, and with an OAuth error for a machine. It never redirects (RFC 6749 4.1.2.1): no client
has a registered address.
"""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.callers import media_type
from deviceflow.core.errors import (
    OAuthError,
    invalid_request,
    missing_parameter,
    unsupported_response_type,
)
from deviceflow.core.form import FormError, parse_form
from deviceflow.pages.errors import Button, PageError, error_page
from deviceflow.pages.texts import gettext

_FORM = "application/x-www-form-urlencoded"
_REPEATABLE = frozenset({"resource"})


@dataclass(frozen=True, kw_only=True)
class AuthorizePage:
    """The authorization endpoint of a server that only has the device grant."""

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        path = "/oauth2/authorize"
        return [web.get(path, self.handle), web.post(path, self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """Refuse the request: in a page for a browser, by raising OAuthError for a machine."""
        error = await _error(request)
        if "text/html" in request.headers.get("Accept", ""):
            return await error_page(request, _page(error))
        raise error


async def _error(request: web.Request) -> OAuthError:
    """Return the error of RFC 6749 4.1.2.1 for the request."""
    sent = request.rel_url.raw_query_string.encode()
    if request.method == "POST":
        is_form = media_type(request) == _FORM and "Content-Encoding" not in request.headers
        sent = await request.read() if is_form else b""
    try:
        parameters = parse_form(sent, _REPEATABLE).fields
    except FormError as error:
        return invalid_request(str(error))
    if "response_type" not in parameters:
        return missing_parameter("response_type")
    return unsupported_response_type()


def _page(error: OAuthError) -> PageError:
    return PageError(
        error.status,
        title=gettext("authorize.title"),
        happened=gettext("authorize.happened"),
        next_step=gettext("authorize.next_step", code=error.code),
        button=Button("/device", gettext("button.connect_device")),
    )
