"""GET /healthz and /readyz, on the admin port.

/healthz says that the process answers. /readyz also says whether the store does,
and whether it takes writes. A server
without its store can still answer the polls of pending grants, so it is `degraded` with status
200. If a balancer removed every host, a pause of the store would become an outage.
"""

from collections.abc import Callable

from aiohttp import web


class Health:
    """The endpoints of a worker.

    `store_reachable` and `store_refusal` return what the worker saw last: whether the store
    answers, and the code with which it refuses writes (None if it takes them).
    """

    def __init__(
        self, store_reachable: Callable[[], bool], store_refusal: Callable[[], str | None]
    ) -> None:
        self._store_reachable = store_reachable
        self._store_refusal = store_refusal

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the two endpoints."""
        return [web.get("/healthz", self.healthz), web.get("/readyz", self.readyz)]

    async def healthz(self, _: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.json_response({"status": "ok"})

    async def readyz(self, _: web.Request) -> web.Response:
        """Answer whether everything works, or only polls of pending grants."""
        reachable = self._store_reachable()
        if reachable and (refusal := self._store_refusal()):
            return web.json_response({"status": "degraded", "store": "refuses", "reason": refusal})
        return web.json_response(
            {
                "status": "ok" if reachable else "degraded",
                "store": "reachable" if reachable else "unreachable",
            }
        )
