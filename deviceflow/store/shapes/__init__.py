"""How Redis or Valkey is deployed: one server, a primary that Sentinels name, or a Cluster.

Contract: `opened` makes the `Shape` of a URL. Nothing else in the store knows which one it is.
redis-py speaks the protocol. What it raises leaves this room as it is; `connection` translates it.
"""

from collections.abc import Callable

from deviceflow.core.store_url import ShapeName, StoreUrl
from deviceflow.store.shapes.cluster import ClusterShape
from deviceflow.store.shapes.server import at_server, behind_sentinels
from deviceflow.store.shapes.shape import Command, ConnectionLimits, RunTrip, Shape, Value

__all__ = ["Command", "ConnectionLimits", "RunTrip", "Shape", "Value", "opened"]

_OPENERS: dict[ShapeName, Callable[[StoreUrl, ConnectionLimits], Shape]] = {
    "server": at_server,
    "sentinel": behind_sentinels,
    "cluster": ClusterShape.at,
}


def opened(url: StoreUrl, limits: ConnectionLimits) -> Shape:
    """Return the shape of `url`. Its connections are made at the first command."""
    return _OPENERS[url.shape](url, limits)
