"""The providers of one worker, by their ids."""

from collections.abc import Iterable, Iterator

from deviceflow.config import Upstream
from deviceflow.core.clock import Clock, SteadyClock
from deviceflow.upstream.provider import Provider
from deviceflow.upstream.web_client import WebClient


class Providers:
    """All providers, in the order of the settings. Close them at the end."""

    def __init__(self, upstreams: Iterable[Upstream], *, clock: Clock, steady: SteadyClock) -> None:
        self._client = WebClient()
        self._by_id = {
            upstream.id: Provider(upstream, self._client.fetch, clock=clock, steady=steady)
            for upstream in upstreams
        }

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._by_id.values())

    def find(self, upstream_id: str) -> Provider | None:
        """Return the provider of that id, or None."""
        return self._by_id.get(upstream_id)

    async def close(self) -> None:
        """Close the connections to all of them."""
        await self._client.close()
