"""Which client sent a request (RFC 6749 sections 2.3, 3.2).

1. A request that cannot be read is refused, and the error says why.
2. A guesser with too many failures is refused before its credentials are checked, whether they
   are good or not. Otherwise it could go on guessing, and see when it succeeds.
3. Every other refusal is `invalid_client`: whether a client exists, is disabled or has another
   secret is only in the log. A client that has shown its secret learns which method to use.
4. A failure counts if the credentials could be a guess.
"""

from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from deviceflow.callers import Callers
from deviceflow.core.address import rate_key
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.core.errors import invalid_client, too_many_failures
from deviceflow.core.form import Form
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.core.resources import requested_resources
from deviceflow.oauth.clients.failures import FailureThrottle, Guesser
from deviceflow.oauth.clients.methods import (
    ClientCredentials,
    ClientEvidence,
    UnreadableCredentials,
    expected_method,
    read_credentials,
)
from deviceflow.oauth.clients.proof import ClientProof
from deviceflow.oauth.clients.refusals import RefusalLog
from deviceflow.oauth.form import read_form
from deviceflow.store.clients import StoredClients
from deviceflow.store.errors import RecordUnreadable

SHUT_OUT = "is shut out for a while after too many failures"


class ClientRequest(NamedTuple):
    """A request whose client is known; `resources`: what it names in `resource` (RFC 8707 2)."""

    http: web.Request
    parameters: dict[str, str]
    client: Client
    resources: list[str]


@dataclass(frozen=True, kw_only=True)
class ClientAuthentication:
    """Authenticates the client of a request. Every method may raise OAuthError, StoreUnavailable.

    `certificate_header`: where a trusted proxy writes the subject of a certificate, if anywhere.
    """

    clients: Clients
    stored_clients: StoredClients
    proof: ClientProof
    failures: FailureThrottle
    refusals: RefusalLog
    callers: Callers
    certificate_header: str | None

    async def read(self, request: web.Request) -> ClientRequest:
        """Read the parameters of `request` and authenticate its client."""
        return await self._authenticate(request, await read_form(request))

    async def read_confidential(self, request: web.Request) -> ClientRequest:
        """Do the same where a client must prove itself (RFC 7662 2.1)."""
        form = await read_form(request)
        is_named = "client_id" in form.fields or "client_assertion" in form.fields
        if not is_named and "Authorization" not in request.headers:
            self.refusals.note(request, "", "names no client", known=True)
            raise invalid_client(challenge=True)
        client_request = await self._authenticate(request, form)
        if client_request.client.is_public:
            reason = "is public, which this endpoint does not allow"
            client_id = client_request.client.client_id
            self.refusals.note(request, client_id, reason, known=True)
            raise invalid_client(challenge=True)
        return client_request

    async def _authenticate(self, request: web.Request, form: Form) -> ClientRequest:
        credentials = self._credentials(request, form.fields)
        guesser = self._guesser(request, credentials)
        is_poll = form.fields.get("grant_type") == DEVICE_CODE_GRANT
        if guesser and (wait_s := self.failures.wait_s(guesser)):
            self.refusals.note(request, credentials.client_id, SHUT_OUT, known=False)
            raise too_many_failures(wait_s, is_poll=is_poll)
        client = await self._find(credentials.client_id)
        fault = await self.proof.fault(client, credentials)
        if client is not None and not fault:
            resources = requested_resources(form, client, self.proof.issuer)
            return ClientRequest(request, form.fields, client, resources)
        self.refusals.note(request, credentials.client_id, fault, known=client is not None)
        if guesser and (wait_s := await self.failures.count(guesser)):
            raise too_many_failures(wait_s, is_poll=is_poll)
        is_served = client is not None and client.enabled
        expected = expected_method(client, credentials) if client and is_served else ""
        raise invalid_client(challenge="Authorization" in request.headers, expected_method=expected)

    def _credentials(self, request: web.Request, parameters: dict[str, str]) -> ClientCredentials:
        authorization = request.headers.getall("Authorization", [])
        subject = self._certificate_subject(request)
        try:
            return read_credentials(ClientEvidence(authorization, parameters, subject))
        except UnreadableCredentials as error:
            client_id = parameters.get("client_id", "")
            self.refusals.note(request, client_id, str(error), known=False)
            raise invalid_client(challenge=bool(authorization)) from None

    def _certificate_subject(self, request: web.Request) -> str:
        """Return what the proxy says (RFC 8705 2.1), byte for byte; empty if nothing is believed.

        To decode a name could make another name of it. The header is believed only if the
        settings say so, and only from a trusted proxy (RFC 9700 4.13).
        """
        if not self.certificate_header or not self.callers.is_by_proxy(request):
            return ""
        subjects = request.headers.getall(self.certificate_header, [])
        return subjects[0] if len(subjects) == 1 else ""

    def _guesser(self, request: web.Request, credentials: ClientCredentials) -> Guesser | None:
        if not credentials.is_guess:
            return None
        return Guesser(rate_key(self.callers.address(request)), credentials.client_id)

    async def _find(self, client_id: str) -> Client | None:
        """Find a client. A new one may send a request before this worker has heard of it."""
        client = self.clients.find(client_id)
        if client is not None:
            return client
        try:
            stored = await self.stored_clients.find(client_id)
        except RecordUnreadable:
            return None
        return self.clients.allowed(stored) if stored else None
