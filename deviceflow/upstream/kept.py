"""A document of a provider, kept for a time and fetched once, however many people wait for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from deviceflow.core.clock import SteadyClock
from deviceflow.upstream.errors import Cause, UpstreamError

DOCUMENT_KEPT_S = 3600
"""How long a document is used without a look at the provider."""

FLOOR_S = 10
"""The least time between two fetches. A provider that is down, or tokens with made-up key ids,
cost no more requests than this."""

DocumentT = TypeVar("DocumentT")


class Kept(Generic[DocumentT]):
    """The document that `fetch` gives. A document that was good once serves while none comes."""

    def __init__(self, fetch: Callable[[], Awaitable[DocumentT]], steady: SteadyClock) -> None:
        self._fetch = fetch
        self._steady = steady
        self._lock = asyncio.Lock()
        self._document: DocumentT | None = None
        self._fetched_at = -float("inf")
        self._tried_at = -float("inf")
        self._failure = UpstreamError(Cause.UNREACHABLE, "not asked yet")

    async def get(self) -> DocumentT:
        """Return the document. May raise UpstreamError, if there never was one."""
        if self._document is not None and self._steady() < self._fetched_at + DOCUMENT_KEPT_S:
            return self._document
        return await self._renewed()

    async def renew(self) -> DocumentT:
        """Return the document as it is now, unless it has just been fetched."""
        return await self._renewed()

    async def _renewed(self) -> DocumentT:
        async with self._lock:
            if self._steady() >= self._tried_at + FLOOR_S:
                await self._try()
            if self._document is not None:
                return self._document
            raise self._failure

    async def _try(self) -> None:
        self._tried_at = self._steady()
        try:
            self._document = await self._fetch()
        except UpstreamError as error:
            self._failure = error
        except asyncio.CancelledError:
            # The person who waited for it has gone. The next one tries at once.
            self._tried_at = -float("inf")
            raise
        else:
            self._fetched_at = self._tried_at
