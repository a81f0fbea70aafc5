"""How a request uses each authentication method, and what proves the client then.

1. A request uses one method (RFC 6749 2.3): an Authorization header, a client_secret and a
   client_assertion exclude each other.
2. A request with none of the three only names its client. If a proxy vouches for a certificate
   of the connection, the request shows that certificate too: it proves a client that registered
   a certificate, and means nothing for others. A device may have one for reasons of its own.
3. A client must use the method that it is registered with. So the proof is looked up by the
   registered method, and gets whatever the request shows.

The facts that need no request stand in core/client_methods.py, under the same names.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import ClassVar, NamedTuple

from deviceflow.core import assertion
from deviceflow.core.client import Client, secret_digest
from deviceflow.core.client_methods import CLIENT_METHODS, PUBLIC, AuthMethod
from deviceflow.core.errors import invalid_request
from deviceflow.core.form import FormError, decode_component
from deviceflow.signing.client_assertion import unverified_subject, verify_with
from deviceflow.signing.errors import BadToken

NOT_BASIC = "sends an Authorization header that is not HTTP Basic"


@dataclass(frozen=True)
class SharedSecret:
    """A secret, and the `method` by which it came: the header or the form."""

    client_id: str
    secret: str = field(repr=False)
    method: AuthMethod

    @property
    def is_guess(self) -> bool:
        """Whether it could be a guess. An empty secret is none (RFC 6749 2.3.1).

        Some libraries send an empty one with each poll of a public client, and try again without.
        """
        return bool(self.secret)


@dataclass(frozen=True)
class ClientAssertion:
    """A JWT that says it was signed by the client (RFC 7523 2.2)."""

    client_id: str
    text: str = field(repr=False)
    method: ClassVar[AuthMethod] = "private_key_jwt"
    is_guess: ClassVar[bool] = True


@dataclass(frozen=True)
class ClientCertificate:
    """The subject of a certificate that a proxy has verified (RFC 8705 2.1).

    Its `method` is that of a public client: the request itself says no more than one does.
    """

    client_id: str
    subject: str
    method: ClassVar[AuthMethod] = PUBLIC
    is_guess: ClassVar[bool] = False


@dataclass(frozen=True)
class ClientIdOnly:
    """The name of a client, and nothing that proves it (RFC 6749 3.2.1)."""

    client_id: str
    method: ClassVar[AuthMethod] = PUBLIC
    is_guess: ClassVar[bool] = False


ClientCredentials = SharedSecret | ClientAssertion | ClientCertificate | ClientIdOnly
"""What a request shows of its client. `method` is the one that the log names."""


class ClientEvidence(NamedTuple):
    """The places of a request where credentials stand.

    `authorization` has every such header. `certificate_subject` is empty unless a proxy vouches.
    """

    authorization: list[str]
    parameters: Mapping[str, str]
    certificate_subject: str = ""


class UnreadableCredentials(Exception):  # noqa: N818 - it is what they are
    """Credentials that name no client. The text is a reason for the log."""


class Verifier(NamedTuple):
    """The server that checks a proof: its `issuer`, and what time it is (s since 1970)."""

    issuer: str
    now: float


ProofRule = Callable[[Client, ClientCredentials, Verifier], str | assertion.Assertion]
"""Return why the credentials are not the client's, in words for the log only; empty if they are.

An assertion that is good but for one condition is returned: it must not have been used before.
"""


class ClientAuthenticator(NamedTuple):
    """How a request uses a method, and what proves the client then.

    A method that is not `is_in_header` is used if the form has its parameter, or if the request
    uses no other method.
    """

    read: Callable[[ClientEvidence], ClientCredentials]
    proof: ProofRule
    is_in_header: bool = False


def read_credentials(evidence: ClientEvidence) -> ClientCredentials:
    """Read what a request shows of its client. May raise OAuthError, UnreadableCredentials."""
    used = [name for name, parameter in _BY_PARAMETER if evidence.parameters.get(parameter)]
    if evidence.authorization:
        used += _IN_HEADER
    if len(used) > 1:
        raise invalid_request("A client authenticates in one way only.")
    return AUTHENTICATORS[used[0] if used else PUBLIC].read(evidence)


def _read_basic(evidence: ClientEvidence) -> SharedSecret:
    """RFC 6749 2.3.1: both parts are form-encoded before they are joined."""
    if len(evidence.authorization) > 1:
        raise invalid_request("A client authenticates in one way only.")
    scheme, _, token = evidence.authorization[0].partition(" ")
    if scheme.lower() != "basic":
        raise UnreadableCredentials(NOT_BASIC)
    try:
        name, colon, secret = b64decode(token.strip(), validate=True).partition(b":")
        client_id, text = decode_component(name), decode_component(secret)
    except (Base64Error, FormError, ValueError):
        raise UnreadableCredentials(NOT_BASIC) from None
    if not colon:
        raise UnreadableCredentials(NOT_BASIC)
    if (evidence.parameters.get("client_id") or client_id) != client_id:
        raise invalid_request("The client_id differs from the authenticated client.")
    return SharedSecret(client_id, text, "client_secret_basic")


def _read_post(evidence: ClientEvidence) -> SharedSecret:
    secret = evidence.parameters["client_secret"]
    return SharedSecret(_client_id(evidence), secret, "client_secret_post")


def _read_assertion(evidence: ClientEvidence) -> ClientAssertion:
    """RFC 7521 4.2: the client is the assertion's `sub`; `client_id` is optional, and the same."""
    if evidence.parameters.get("client_assertion_type") != assertion.TYPE:
        raise invalid_request("The parameter client_assertion_type is missing or unknown.")
    text = evidence.parameters["client_assertion"]
    return ClientAssertion(evidence.parameters.get("client_id") or unverified_subject(text), text)


def _read_client_id(evidence: ClientEvidence) -> ClientIdOnly | ClientCertificate:
    client_id = _client_id(evidence)
    if evidence.certificate_subject:
        return ClientCertificate(client_id, evidence.certificate_subject)
    return ClientIdOnly(client_id)


def _client_id(evidence: ClientEvidence) -> str:
    client_id = evidence.parameters.get("client_id")
    if not client_id:
        raise invalid_request("The parameter client_id is missing.")
    return client_id


def _prove_public(client: Client, credentials: ClientCredentials, _: Verifier) -> str:
    if isinstance(credentials, ClientIdOnly | ClientCertificate):
        return ""
    if isinstance(credentials, SharedSecret) and not credentials.secret:
        # RFC 6749 2.3.1: an empty secret may be left out, so this is a client id alone. Several
        # libraries and `curl -u id:` write it like that.
        return ""
    return _other_method(client, credentials)


def _prove_secret(client: Client, credentials: ClientCredentials, _: Verifier) -> str:
    if not isinstance(credentials, SharedSecret) or not _is_allowed(client, credentials):
        return _other_method(client, credentials)
    return "" if _is_secret_of(client, credentials) else "has a wrong secret"


def expected_method(client: Client, credentials: ClientCredentials) -> str:
    """Return the method that a client has to use, if it has shown its secret by another one.

    Otherwise the answer is empty. A client without a secret is never told anything.
    """
    if not isinstance(credentials, SharedSecret) or _is_allowed(client, credentials):
        return ""
    is_shown = client.method.has_secret and _is_secret_of(client, credentials)
    return client.auth_method if is_shown else ""


def _is_allowed(client: Client, credentials: SharedSecret) -> bool:
    return credentials.method in client.announced_methods


def _is_secret_of(client: Client, credentials: SharedSecret) -> bool:
    digest = secret_digest(credentials.secret)
    is_known = [compare_digest(digest, known.lower()) for known in client.secret_sha256]
    # An empty secret proves nothing, even if its digest was configured by mistake.
    return any(is_known) and bool(credentials.secret)


def _prove_assertion(
    client: Client, credentials: ClientCredentials, verifier: Verifier
) -> str | assertion.Assertion:
    if not isinstance(credentials, ClientAssertion):
        return _other_method(client, credentials)
    try:
        claims = verify_with(credentials.text, client.public_keys).claims
    except BadToken:
        return "has an assertion that none of its keys signed"
    good = assertion.read_assertion(
        claims, client_id=client.client_id, issuer=verifier.issuer, now=verifier.now
    )
    return "has an assertion with wrong claims, or of another time" if good is None else good


def _prove_certificate(client: Client, credentials: ClientCredentials, _: Verifier) -> str:
    if isinstance(credentials, ClientIdOnly):
        return "shows no certificate"
    if not isinstance(credentials, ClientCertificate):
        return _other_method(client, credentials)
    expected = client.tls_client_auth_subject_dn or ""
    # A header may hold bytes that are not UTF-8.
    subject = credentials.subject.encode(errors="surrogateescape")
    is_same = bool(expected) and compare_digest(subject, expected.encode())
    return "" if is_same else "has a certificate of another name"


def _other_method(client: Client, credentials: ClientCredentials) -> str:
    return f"authenticates with {credentials.method}, is registered with {client.auth_method}"


AUTHENTICATORS: Mapping[AuthMethod, ClientAuthenticator] = {
    PUBLIC: ClientAuthenticator(_read_client_id, _prove_public),
    "client_secret_basic": ClientAuthenticator(_read_basic, _prove_secret, is_in_header=True),
    "client_secret_post": ClientAuthenticator(_read_post, _prove_secret),
    # Never read: a request uses one of the two above, and this client may use either.
    "client_secret": ClientAuthenticator(_read_client_id, _prove_secret),
    "private_key_jwt": ClientAuthenticator(_read_assertion, _prove_assertion),
    "tls_client_auth": ClientAuthenticator(_read_client_id, _prove_certificate),
}

_IN_HEADER = [name for name, method in AUTHENTICATORS.items() if method.is_in_header]
_BY_PARAMETER = [
    (name, parameter)
    for name, method in AUTHENTICATORS.items()
    if not method.is_in_header and (parameter := CLIENT_METHODS[name].parameter) is not None
]
