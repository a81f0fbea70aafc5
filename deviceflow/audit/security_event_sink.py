"""Security event tokens to another service: one POST each (RFC 8935)."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any

import msgspec

from deviceflow.audit.events import AuditLine
from deviceflow.audit.outlet import LinesNotWritten
from deviceflow.audit.security_event_token import TOKEN_TYPE, security_event_claims
from deviceflow.core.errors import OAuthError
from deviceflow.webhook import Webhook, WebhookSilent

PUSH_TIMEOUT_S = 10.0
PUSH_CONTENT_TYPE = "application/secevent+jwt"

SignEvent = Callable[[Mapping[str, Any], str], str]
"""Signs claims as a JWT of a type. May raise OAuthError: there are no keys yet."""


class SecurityEventSink:
    """Tells a receiver of the lines that `security_event_token.py` makes tokens of.

    A receiver that has taken a token answers 202. What it refuses with 400, it will never take.
    """

    name = "security_events"

    def __init__(self, receiver: Webhook, issuer: str, audience: str, sign: SignEvent) -> None:
        self._receiver = receiver
        self._issuer = issuer
        self._audience = audience
        self._sign = sign

    def open(self) -> AbstractAsyncContextManager[None]:
        """Keep connections until the block ends."""
        return self._receiver.open()

    async def write(self, lines: Sequence[bytes]) -> None:
        """Push a token for each line that needs one. May raise LinesNotWritten."""
        for text in lines:
            line = msgspec.json.decode(text, type=AuditLine)
            claims = security_event_claims(line, self._issuer, self._audience)
            if claims is not None:
                await self._push(claims)

    async def _push(self, claims: Mapping[str, Any]) -> None:
        try:
            token = self._sign(claims, TOKEN_TYPE)
            status = await self._receiver.post(token.encode(), PUSH_CONTENT_TYPE)
        except OAuthError as error:
            raise LinesNotWritten("there are no signing keys yet") from error
        except WebhookSilent as error:
            raise LinesNotWritten(str(error)) from error
        if status != HTTPStatus.ACCEPTED:
            is_final = status == HTTPStatus.BAD_REQUEST
            raise LinesNotWritten(f"status {status}", is_final=is_final)
