"""A program of the operator's that gets POSTs. The rooms decide what a status means."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from deviceflow.core.clock import Clock
from deviceflow.core.webhook_signature import signature_headers

ProofHeaders = Callable[[bytes], Mapping[str, str]]
"""Returns the headers by which the receiver of a body knows that this server sent it."""


class WebhookSilent(Exception):  # noqa: N818, it states a condition, not a mistake
    """A webhook gave no answer. The text says why, and has neither the address nor a secret."""


@dataclass(kw_only=True)
class Webhook:
    """Posts to `url` with the headers of `proof`. Open it first. A post takes up to `timeout_s`."""

    url: str
    proof: ProofHeaders
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
        headers = {"Content-Type": content_type, **self.proof(body)}
        try:
            # A redirect could lead the body to another receiver.
            async with self._session.post(
                self.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise WebhookSilent(type(error).__name__) from error


def signature(secret: str, clock: Clock) -> ProofHeaders:
    """Prove by a signature with a shared secret (`core/webhook_signature.py`)."""
    return lambda body: signature_headers(secret, int(clock()), body)


def bearer(token: str | None) -> ProofHeaders:
    """Prove by a bearer token (RFC 6750). Without one, the receiver goes by the body alone."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return lambda _: headers
