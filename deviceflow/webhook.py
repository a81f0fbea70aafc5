"""A program of the operator's that gets signed POSTs. The rooms decide what a status means."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from deviceflow.core.clock import Clock
from deviceflow.core.webhook_signature import signature_headers


class WebhookSilent(Exception):  # noqa: N818, it states a condition, not a mistake
    """A webhook gave no answer. The text says why, and has neither the address nor a secret."""


@dataclass(kw_only=True)
class Webhook:
    """Posts to `url`, signed with `secret`. Open it before. A post takes at most `timeout_s`."""

    url: str
    secret: str
    clock: Clock
    timeout_s: float

    _session: aiohttp.ClientSession | None = field(default=None, init=False)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep connections until the block ends."""
        timeout = aiohttp.ClientTimeout(total=self.timeout_s)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            yield

    async def post(self, body: bytes, content_type: str) -> int:
        """Post `body`, and return the status of the answer. May raise WebhookSilent."""
        if self._session is None:
            raise WebhookSilent("the webhook is not open")
        headers = {
            "Content-Type": content_type,
            **signature_headers(self.secret, int(self.clock()), body),
        }
        try:
            # A redirect could lead the body to another receiver.
            async with self._session.post(
                self.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise WebhookSilent(type(error).__name__) from error
