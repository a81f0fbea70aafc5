"""The form in the body of a machine's request (RFC 6749 section 3.2 and appendix B)."""

from aiohttp import web

from deviceflow.callers import media_type
from deviceflow.core.client_methods import CREDENTIAL_PARAMETERS
from deviceflow.core.errors import invalid_request
from deviceflow.core.form import Form, FormError, parse_form

FORM = "application/x-www-form-urlencoded"
REPEATABLE = frozenset({"resource"})
"""The only parameter that may occur several times (RFC 8707 2)."""


async def read_form(request: web.Request) -> Form:
    """Read the form in the body. Refuse credentials in the address (RFC 6749 2.3.1).

    May raise OAuthError: if the body is not an uncompressed form in UTF-8.
    """
    if request.rel_url.raw_query_string and not CREDENTIAL_PARAMETERS.isdisjoint(request.query):
        raise invalid_request("Credentials do not belong into the address.")
    if media_type(request) != FORM:
        raise invalid_request(f"The body has to be of type {FORM}.")
    # A charset is not looked at: this type has none (WHATWG URL 5.2; the IANA registration), and
    # Java libraries write ISO-8859-1 over ASCII bytes. `parse_form` judges the bytes themselves.
    if "Content-Encoding" in request.headers:
        raise invalid_request("The body may not be compressed.")
    try:
        return parse_form(await request.read(), REPEATABLE)
    except FormError as error:
        raise invalid_request(str(error)) from None
