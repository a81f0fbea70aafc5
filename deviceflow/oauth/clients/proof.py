"""Whether what a request brings proves that it is the client's (RFC 6749 2.3, RFC 7523, RFC 8705).

A client has to use the method that it is registered with. What is wrong is said in words for
the operator's log; whoever asked hears `invalid_client` and no more.
"""

from hmac import compare_digest
from typing import NamedTuple

from deviceflow.core import assertion
from deviceflow.core.client import Client, secret_digest
from deviceflow.core.clock import Clock
from deviceflow.signing import BadToken, verify_with
from deviceflow.store.replay import Replay


class Credentials(NamedTuple):
    """What a request says of its client; `proof` is a secret, an assertion or a name."""

    client_id: str
    proof: str
    method: str


class ClientProof:
    """Checks credentials. `clock` gives s since 1970."""

    def __init__(self, issuer: str, replay: Replay, clock: Clock) -> None:
        self._issuer = issuer
        self._replay = replay
        self._clock = clock

    async def fault(self, client: Client | None, credentials: Credentials) -> str:
        """Why this is not the client, in words for the log only; empty where it is.

        Raises StoreUnavailable.
        """
        if client is None:
            return "is unknown"
        if not client.enabled:
            return "is disabled"
        return await self._proof_fault(client, credentials)

    async def _proof_fault(self, client: Client, credentials: Credentials) -> str:
        method = credentials.method
        if client.auth_method == "tls_client_auth" and method == "none":
            return _certificate_fault(client, credentials.proof)
        if method != client.auth_method:
            return f"authenticates with {method}, is registered with {client.auth_method}"
        if method == "private_key_jwt":
            return await self._assertion_fault(client, credentials.proof)
        if method == "none" or _knows_secret(client, credentials.proof):
            return ""
        return "has a wrong secret"

    async def _assertion_fault(self, client: Client, text: str) -> str:
        try:
            claims = verify_with(text, client.public_keys).claims
        except BadToken:
            return "has an assertion that none of its keys signed"
        found = assertion.read_assertion(
            claims, client_id=client.client_id, issuer=self._issuer, now=self._clock()
        )
        if found is None:
            return "has an assertion with wrong claims, or of another time"
        if await self._replay.use("assertion", client.client_id, found.jti, found.keep_s):
            return ""
        return "has an assertion that was used before"


def _knows_secret(client: Client, secret: str) -> bool:
    presented = secret_digest(secret)
    return any(compare_digest(presented, known.lower()) for known in client.secret_sha256)


def _certificate_fault(client: Client, presented: str) -> str:
    expected = client.tls_client_auth_subject_dn or ""
    if expected and _is_same(presented, expected):
        return ""
    return "has a certificate of another name" if presented else "shows no certificate"


def _is_same(presented: str, expected: str) -> bool:
    # A header may hold bytes that are no UTF-8.
    return compare_digest(presented.encode(errors="surrogateescape"), expected.encode())
