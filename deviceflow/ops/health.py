"""GET /healthz and /readyz, on the admin port.

/healthz says that the process answers. /readyz also says whether the store does. A server
without its store can still answer the polls of pending grants, so it is `degraded` with status
200. If a balancer removed every host, a pause of the store would become an outage.
"""

from collections.abc import Callable

from aiohttp import web


class Health:
    """The endpoints of a worker. `store_reachable` returns what the worker saw last."""

    def __init__(self, store_reachable: Callable[[], bool]) -> None:
        self._store_reachable = store_reachable

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the two endpoints."""
        return [web.get("/healthz", self.healthz), web.get("/readyz", self.readyz)]

    async def healthz(self, _: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.json_response({"status": "ok"})

    async def readyz(self, _: web.Request) -> web.Response:
        """Answer whether everything works, or only polls of pending grants."""
        reachable = self._store_reachable()
        return web.json_response(
            {
                "status": "ok" if reachable else "degraded",
                "store": "reachable" if reachable else "unreachable",
            }
        )
