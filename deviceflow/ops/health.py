"""GET /healthz and /readyz, on the admin port.

/healthz says that the process answers. /readyz says whether the host serves: 503 while it is
starting or about to stop, else 200. It speaks for all workers of the host, whichever of them
answers, because the kernel chooses one.

A server without its store, or with a store that refuses writes, can still answer the polls of
pending grants, so it is `degraded` with status 200. If a balancer removed every host, a pause of
the store would become an outage.
"""

from collections.abc import Callable

from aiohttp import web

from deviceflow.ops.status_board import StatusBoard

REACHABLE = "reachable"
UNREACHABLE = "unreachable"
UNKNOWN = "unknown"
"""What a worker says of the store, UNKNOWN before its first look.

PRESSED has why it starts no grants. Anything else is the code with which the store refuses writes.
"""

PRESSED = frozenset({"nearly full", "slow"})

ELSEWHERE = "another worker of this host cannot reach it; store.unreachable in the log says why"

Body = dict[str, str]


class Health:
    """The endpoints of a worker.

    `store` returns what this worker saw of the store last, `cause` why it could not reach the
    store, None if it could. Without a `board`, it is alone.
    """

    def __init__(
        self,
        store: Callable[[], str],
        cause: Callable[[], str | None],
        board: StatusBoard | None = None,
    ) -> None:
        self._board = board
        self._store = store
        self._cause = cause

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the two endpoints."""
        return [web.get("/healthz", self.healthz), web.get("/readyz", self.readyz)]

    async def healthz(self, _: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.json_response({"status": "ok"})

    async def readyz(self, _: web.Request) -> web.Response:
        """Answer whether everything works, or only polls of pending grants, or nothing yet."""
        board = self._board
        others = [cell.store for cell in board.serving()] if board else []
        if board and board.stopping:
            body = {"status": "stopping", "reason": "this server is about to stop"}
        elif board and not others:
            body = {"status": "starting", "reason": "no worker of this server serves yet"}
        else:
            # A worker that is still starting does not know yet; the others do.
            seen = {*others, self._store()} - {UNKNOWN}
            return web.json_response(_with_store(seen or {UNREACHABLE}, self._why_unreachable()))
        return web.json_response(body, status=503)

    def _why_unreachable(self) -> str:
        """Return the cause, if this worker knows it. The board has no room for others' causes."""
        return self._cause() or ELSEWHERE


def _with_store(states: set[str], why_unreachable: str) -> Body:
    """Describe the store by the worst that a worker says of it."""
    refusals = states - {REACHABLE, UNREACHABLE} - PRESSED
    if refusals:
        return {"status": "degraded", "store": "refuses", "reason": min(refusals)}
    if UNREACHABLE in states:
        return {"status": "degraded", "store": UNREACHABLE, "reason": why_unreachable}
    if pressed := states & PRESSED:
        return {"status": "degraded", "store": "pressed", "reason": min(pressed)}
    return {"status": "ok", "store": REACHABLE}
