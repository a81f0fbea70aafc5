"""GET /healthz and /readyz, on the admin port.

Health says that the process answers. Readiness says whether the store does too. A server whose
store is away is still the right one to send polls to, so that state is `degraded` with status
200: taking all hosts out of a balancer would turn a pause of the store into an outage.
"""

from collections.abc import Callable

from aiohttp import web


class Health:
    """Answers for one worker. `store_reachable` tells what it saw last."""

    def __init__(self, store_reachable: Callable[[], bool]) -> None:
        self._store_reachable = store_reachable

    def routes(self) -> list[web.RouteDef]:
        """The two endpoints."""
        return [web.get("/healthz", self.healthz), web.get("/readyz", self.readyz)]

    async def healthz(self, _: web.Request) -> web.Response:
        """The process is alive."""
        return web.json_response({"status": "ok"})

    async def readyz(self, _: web.Request) -> web.Response:
        """Whether everything works, or only pending polls do."""
        reachable = self._store_reachable()
        return web.json_response(
            {
                "status": "ok" if reachable else "degraded",
                "store": "reachable" if reachable else "unreachable",
            }
        )
