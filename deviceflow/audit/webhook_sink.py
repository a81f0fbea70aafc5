"""Lines to a program of the operator's: a signed POST with a line of JSON for each event."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

from deviceflow.audit.outlet import LinesNotWritten
from deviceflow.core.clock import Clock
from deviceflow.webhook import Webhook, WebhookSilent, signature

POST_TIMEOUT_S = 10.0
AUDIT_CONTENT_TYPE = "application/x-ndjson"

_SUCCESS = range(200, 300)
_FINAL = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""The answers that say that the receiver will never take these lines. After others, a receiver that
is mended gets them."""


class WebhookSink:
    """Posts the bytes that are in the file, so that a receiver can verify the chains, too.

    An answer may be lost on the way. Then the same lines come again.
    """

    name = "webhook"

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        self._webhook = Webhook(url=url, proof=signature(secret, clock), timeout_s=POST_TIMEOUT_S)

    def open(self) -> AbstractAsyncContextManager[None]:
        """Keep connections until the block ends."""
        return self._webhook.open()

    async def write(self, lines: Sequence[bytes]) -> None:
        """Post lines. May raise LinesNotWritten: no answer, or another status than 2xx."""
        try:
            status = await self._webhook.post(b"".join(lines), AUDIT_CONTENT_TYPE)
        except WebhookSilent as error:
            raise LinesNotWritten(str(error)) from error
        if status not in _SUCCESS:
            raise LinesNotWritten(f"status {status}", is_final=status in _FINAL)
