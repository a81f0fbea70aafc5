"""Reading a client's request and telling which client it is (RFC 6749 sections 2.3, 3.2).

Methods: none (a public client names itself with `client_id`), client_secret_basic,
client_secret_post. A client must use the method that it is registered with.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple

from aiohttp import web

from deviceflow.core.client import Client, Clients
from deviceflow.core.errors import OAuthError, invalid_client, invalid_request
from deviceflow.core.form import FormError, decode_component, parse_form

FORM = "application/x-www-form-urlencoded"


class Credentials(NamedTuple):
    """What a request says of its client."""

    client_id: str
    secret: str
    method: str


class ClientRequest(NamedTuple):
    """A request whose client is known."""

    http: web.Request
    parameters: dict[str, str]
    client: Client


async def read_client_request(request: web.Request, clients: Clients) -> ClientRequest:
    """The parameters and the authenticated client of `request`. Raises OAuthError."""
    parameters = await read_parameters(request)
    return ClientRequest(request, parameters, authenticate(request, parameters, clients))


async def read_parameters(request: web.Request) -> dict[str, str]:
    """The form in the body, and nothing else: credentials in a URI are refused (2.3.1)."""
    if "client_secret" in request.query:
        raise invalid_request("Credentials do not belong into the address.")
    if request.content_type != FORM:
        raise invalid_request(f"The body has to be of type {FORM}.")
    if (request.charset or "utf-8").lower() != "utf-8":
        raise invalid_request("The body has to be UTF-8.")
    if "Content-Encoding" in request.headers:
        raise invalid_request("The body may not be compressed.")
    try:
        return parse_form(await request.read())
    except FormError as error:
        raise invalid_request(str(error)) from None


def authenticate(request: web.Request, parameters: dict[str, str], clients: Clients) -> Client:
    """The client that sent `request`. Raises invalid_client or invalid_request."""
    header = request.headers.getall("Authorization", [])
    credentials = _credentials(header, parameters)
    client = clients.find(credentials.client_id)
    if client is None or not _proves(client, credentials):
        raise invalid_client(challenge=bool(header))
    return client


def _credentials(header: list[str], parameters: dict[str, str]) -> Credentials:
    client_id = parameters.get("client_id", "")
    secret = parameters.get("client_secret", "")
    if header:
        return _basic(header, client_id, secret)
    if not client_id:
        raise invalid_request("The parameter client_id is missing.")
    if secret:
        return Credentials(client_id, secret, "client_secret_post")
    return Credentials(client_id, "", "none")


def _basic(header: list[str], client_id: str, secret: str) -> Credentials:
    if len(header) > 1 or secret:
        raise invalid_request("A client authenticates in one way only.")
    scheme, _, token = header[0].partition(" ")
    if scheme.lower() != "basic":
        raise invalid_client(challenge=True)
    credentials = _decode_basic(token.strip())
    if client_id and client_id != credentials.client_id:
        raise invalid_request("The client_id differs from the authenticated client.")
    return credentials


def _decode_basic(token: str) -> Credentials:
    """RFC 6749 2.3.1: both parts are form-encoded before they are joined."""
    error: OAuthError = invalid_client(challenge=True)
    try:
        name, separator, secret = b64decode(token, validate=True).partition(b":")
        credentials = Credentials(
            decode_component(name), decode_component(secret), "client_secret_basic"
        )
    except (Base64Error, FormError, ValueError):
        raise error from None
    if not separator:
        raise error
    return credentials


def _proves(client: Client, credentials: Credentials) -> bool:
    if not client.enabled or credentials.method != client.auth_method:
        return False
    if client.auth_method == "none":
        return True
    presented = sha256(credentials.secret.encode()).hexdigest()
    return any(compare_digest(presented, known.lower()) for known in client.secret_sha256)
