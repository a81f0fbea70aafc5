"""Reading a client's request and telling which client it is (RFC 6749 sections 2.3, 3.2).

Methods: none (a public client names itself with `client_id`), client_secret_basic,
client_secret_post, private_key_jwt (RFC 7523) and tls_client_auth (RFC 8705). A client must
use the method that it is registered with, and one only.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from math import ceil
from typing import NamedTuple

from aiohttp import web

from deviceflow.callers import Callers
from deviceflow.config import Settings
from deviceflow.core import assertion
from deviceflow.core.address import rate_key
from deviceflow.core.client import Client, Clients
from deviceflow.core.clock import Clock
from deviceflow.core.errors import (
    OAuthError,
    invalid_client,
    invalid_request,
    too_many_failures,
)
from deviceflow.core.form import Form, FormError, decode_component
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.oauth.clients.proof import ClientProof, Credentials
from deviceflow.oauth.clients.refusals import Refusals
from deviceflow.oauth.form import read_form
from deviceflow.signing import unverified_subject
from deviceflow.store.clients import StoredClients
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.limits import Limits
from deviceflow.store.replay import Replay

FAILURES_PER_WINDOW = 30
FAILURE_WINDOW_S = 60
SHUT_OUT_REMEMBERED = 10_000
SHUT_OUT = "is shut out for a while after too many failures"


class ClientRequest(NamedTuple):
    """A request whose client is known; `resources`: what it names in `resource` (RFC 8707 2)."""

    http: web.Request
    parameters: dict[str, str]
    client: Client
    resources: list[str]


class ClientAuthentication:
    """Tells the client of a request. Raises OAuthError, StoreUnavailable."""

    def __init__(
        self,
        settings: Settings,
        *,
        clients: Clients,
        stored_clients: StoredClients,
        replay: Replay,
        limits: Limits,
        refusals: Refusals,
        callers: Callers,
        clock: Clock,
    ) -> None:
        self._clients = clients
        self._stored_clients = stored_clients
        self._proof = ClientProof(settings.issuer_url, replay, clock)
        self._limits = limits
        self._refusals = refusals
        self._callers = callers
        self._certificate_header = settings.server.client_certificate_header
        self._clock = clock
        self._shut_out: dict[str, float] = {}

    async def read(self, request: web.Request) -> ClientRequest:
        """The parameters and the authenticated client of `request`."""
        return await self._authenticated(request, await read_form(request))

    async def _authenticated(self, request: web.Request, form: Form) -> ClientRequest:
        parameters, repeated = form
        header = request.headers.getall("Authorization", [])
        credentials = self._credentials(request, header, parameters)
        guesser = self._guesser(request, credentials)
        is_poll = parameters.get("grant_type") == DEVICE_CODE_GRANT
        if left := self._shut_out_for(guesser):
            self._refusals.note(request, credentials.client_id, SHUT_OUT, known=False)
            raise too_many_failures(left, is_poll=is_poll)
        client = await self._find(credentials.client_id)
        reason = await self._proof.fault(client, credentials)
        if client is None or reason:
            known = client is not None
            self._refusals.note(request, credentials.client_id, reason, known=known)
            if left := await self._count_failure(guesser):
                raise too_many_failures(left, is_poll=is_poll)
            raise invalid_client(challenge=bool(header))
        return ClientRequest(request, parameters, client, repeated.get("resource", []))

    async def read_confidential(self, request: web.Request) -> ClientRequest:
        """As `read`, where nobody may be anonymous or public (RFC 7662 2.1)."""
        form = await read_form(request)
        is_named = "client_id" in form.fields or "client_assertion" in form.fields
        if not is_named and "Authorization" not in request.headers:
            self._refusals.note(request, "", "names no client", known=True)
            raise invalid_client(challenge=True)
        found = await self._authenticated(request, form)
        if found.client.auth_method == "none":
            reason = "is public, which this endpoint does not allow"
            self._refusals.note(request, found.client.client_id, reason, known=True)
            raise invalid_client(challenge=True)
        return found

    def _credentials(
        self, request: web.Request, header: list[str], parameters: dict[str, str]
    ) -> Credentials:
        """RFC 6749 2.3: a client uses one method in a request."""
        client_id = parameters.get("client_id", "")
        secret = parameters.get("client_secret", "")
        proof = parameters.get("client_assertion", "")
        if bool(header) + bool(secret) + bool(proof) > 1:
            raise invalid_request("A client authenticates in one way only.")
        if header:
            return self._basic(request, header, client_id)
        if proof:
            return _assertion(parameters, client_id)
        if not client_id:
            raise invalid_request("The parameter client_id is missing.")
        if secret:
            return Credentials(client_id, secret, "client_secret_post")
        return Credentials(client_id, self._certificate_subject(request), "none")

    def _basic(self, request: web.Request, header: list[str], client_id: str) -> Credentials:
        try:
            return _basic(header, client_id)
        except OAuthError as error:
            if error.code == "invalid_client":
                reason = "sends an Authorization header that is not HTTP Basic"
                self._refusals.note(request, client_id, reason, known=False)
            raise

    async def _find(self, client_id: str) -> Client | None:
        """One that has just been added may be asking before this worker has heard of it."""
        known = self._clients.find(client_id)
        if known is not None:
            return known
        try:
            return await self._stored_clients.find(client_id)
        except RecordUnreadable:
            return None

    def _certificate_subject(self, request: web.Request) -> str:
        """What the proxy says (RFC 8705 2.1), byte for byte: to decode a name could make another.

        Believed only from a proxy of ours (RFC 9700 4.13), and only where the settings say so.
        """
        if not self._certificate_header or not self._callers.is_by_proxy(request):
            return ""
        names = request.headers.getall(self._certificate_header, [])
        return names[0] if len(names) == 1 else ""

    def _guesser(self, request: web.Request, credentials: Credentials) -> str:
        """Whose failures count together; empty where there is nothing to guess.

        A client at an address, so that nobody can shut out a client from elsewhere. An empty
        secret is none (RFC 6749 2.3.1): some libraries send it for a public client with each
        poll, and try again without.
        """
        if credentials.method == "none" or not credentials.proof:
            return ""
        return f"{rate_key(self._callers.address(request))} {credentials.client_id}"

    def _shut_out_for(self, guesser: str) -> int:
        """How much longer its guesses are not looked at, in s."""
        left = self._shut_out.get(guesser, 0.0) - self._clock()
        if left <= 0:
            self._shut_out.pop(guesser, None)
        return max(0, ceil(left))

    async def _count_failure(self, guesser: str) -> int:
        """RFC 6749 2.3.1: protect a secret against guessing. Gives the s to be shut out for."""
        if not guesser:
            return 0
        verdict = await self._limits.hit(
            "client", guesser, limit=FAILURES_PER_WINDOW, window_s=FAILURE_WINDOW_S
        )
        if verdict.allowed:
            return 0
        if len(self._shut_out) >= SHUT_OUT_REMEMBERED:
            self._shut_out.clear()
        # Remembered here too, so that the next guess is not even looked at.
        self._shut_out[guesser] = self._clock() + verdict.retry_after_s
        return verdict.retry_after_s


def _basic(header: list[str], client_id: str) -> Credentials:
    if len(header) > 1:
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


def _assertion(parameters: dict[str, str], client_id: str) -> Credentials:
    """RFC 7521 4.2: the client is the assertion's `sub`; `client_id` is optional, and the same."""
    if parameters.get("client_assertion_type") != assertion.TYPE:
        raise invalid_request("The parameter client_assertion_type is missing or unknown.")
    text = parameters["client_assertion"]
    named = client_id or unverified_subject(text)
    return Credentials(named, text, "private_key_jwt")
