"""The figures of the fleet, as this host sees it."""

from dataclasses import dataclass
from typing import Literal, cast

from aiohttp import web

from deviceflow.admin.api.messages import FleetResponse
from deviceflow.admin.api.requests import api_response
from deviceflow.admin.fleet_watch import FleetWatch
from deviceflow.ops.metrics.fleet import Fleet


@dataclass(frozen=True, kw_only=True)
class FleetEndpoint:
    """The endpoint `/fleet`."""

    watch: FleetWatch

    def routes(self) -> list[web.RouteDef]:
        """List the route."""
        return [web.get("/fleet", self.show)]

    async def show(self, _: web.Request) -> web.Response:
        """Answer with the figures of the last seconds."""
        return api_response(fleet_response(await self.watch.now()))


def fleet_response(now: Fleet) -> FleetResponse:
    """Describe the figures, which are not more exact than six digits."""
    return FleetResponse(
        at=int(now.at),
        seconds=_rounded(now.seconds),
        grants_pending=now.pending,
        grants_live=now.live,
        grants_started=_rounded(now.started),
        approved=_rounded(now.approved),
        denied=_rounded(now.denied),
        cancelled=_rounded(now.cancelled),
        redeemed=_rounded(now.redeemed),
        polls=_rounded(now.polls),
        polls_by_outcome={name: _rounded(rate) for name, rate in now.polls_by_outcome.items()},
        slow_down_part=None if now.slow_down_part is None else _rounded(now.slow_down_part),
        lane_part=None if now.lane_part is None else _rounded(now.lane_part),
        interval_s=_rounded(now.interval),
        usual_interval_s=_rounded(now.usual_interval),
        held=now.held,
        held_limit=now.held_limit,
        connections=now.connections,
        workers=now.workers,
        store=cast('Literal["reachable", "pressed", "refuses writes", "away"]', now.store),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
