"""How operators end the grants of a client, in the API and in the console."""

from dataclasses import dataclass

import structlog

from deviceflow.audit.events import SecurityEvent, by_token
from deviceflow.audit.journal import Audit
from deviceflow.store.client_cancellations import ClientCancellations
from deviceflow.store.client_revocations import ClientRevocations

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class ClientDesk:
    """Ends grants of a client, and says who did. Its coroutines may raise StoreUnavailable."""

    revocations: ClientRevocations
    cancellations: ClientCancellations
    audit: Audit

    async def revoke(self, client_id: str, operator: str) -> None:
        """End everything that was approved for a client; `operator`: the name of the token."""
        await self.revocations.revoke(client_id)
        log.info("client.revoked", client_id=client_id, operator=operator)
        self.audit.record(
            SecurityEvent.CLIENT_DISCONNECTED, client_id=client_id, by=by_token(operator)
        )

    async def cancel_grants(self, client_id: str, operator: str) -> None:
        """Cancel all grants of a client that have no tokens yet."""
        await self.cancellations.cancel(client_id)
        log.info("client.grants_cancelled", client_id=client_id, operator=operator)
        self.audit.record(
            SecurityEvent.CLIENT_GRANTS_CANCELLED, client_id=client_id, by=by_token(operator)
        )
