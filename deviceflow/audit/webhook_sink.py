"""Lines to a program of the operator's: a signed POST with a line of JSON for each event."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp

from deviceflow.audit.outlet import LinesNotWritten
from deviceflow.core.clock import Clock
from deviceflow.core.webhook_signature import signature_headers

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
        self._url = url
        self._secret = secret
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep connections until the block ends."""
        timeout = aiohttp.ClientTimeout(total=POST_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            yield

    async def write(self, lines: Sequence[bytes]) -> None:
        """Post lines. May raise LinesNotWritten: no answer, or another status than 2xx."""
        if self._session is None:
            raise LinesNotWritten("the webhook is not open")
        body = b"".join(lines)
        headers = {
            "Content-Type": AUDIT_CONTENT_TYPE,
            **signature_headers(self._secret, int(self._clock()), body),
        }
        try:
            # A redirect could lead the lines to another receiver.
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise LinesNotWritten(type(error).__name__) from error
        if status not in _SUCCESS:
            raise LinesNotWritten(f"status {status}", is_final=status in _FINAL)
