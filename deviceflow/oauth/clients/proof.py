"""Whether what a request shows proves that it is the client's (RFC 6749 2.3).

The reason of a refusal is for the operator's log; the sender learns `invalid_client` and no more.
"""

from dataclasses import dataclass

from deviceflow.core.client import Client
from deviceflow.core.clock import Clock
from deviceflow.oauth.clients.methods import AUTHENTICATORS, ClientCredentials, Verifier
from deviceflow.store.replay import Replay


@dataclass(frozen=True, kw_only=True)
class ClientProof:
    """Checks credentials against the client that they name."""

    issuer: str
    replay: Replay
    clock: Clock

    async def fault(self, client: Client | None, credentials: ClientCredentials) -> str:
        """Return why this is not the client, in words for the log only; empty if it is.

        May raise StoreUnavailable.
        """
        if client is None:
            return "is unknown"
        if not client.enabled:
            return "is disabled"
        proof = AUTHENTICATORS[client.auth_method].proof
        outcome = proof(client, credentials, Verifier(self.issuer, self.clock()))
        if isinstance(outcome, str):
            return outcome
        # Last of all: an assertion that is refused for another reason is not used up.
        is_first = await self.replay.use("assertion", client.client_id, outcome.jti, outcome.keep_s)
        return "" if is_first else "has an assertion that was used before"
