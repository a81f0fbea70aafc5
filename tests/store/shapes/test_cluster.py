"""What a connection to a Cluster asks of its nodes, of old and new ones."""

from typing import Any

import pytest

from deviceflow.store import keyspace
from deviceflow.store.connection import Connection
from tests.stage.shapes import Cluster


def calls(cluster: Cluster) -> set[str]:
    """The commands that were called at any node."""
    names: set[str] = set()
    for server in cluster.servers:
        (stats,) = server.run(("INFO", "commandstats"))
        names |= {name.removeprefix("cmdstat_") for name in stats}
    return names


@pytest.mark.parametrize(
    ("config", "used"),
    [
        pytest.param({}, {"spublish", "ssubscribe"}, id="new"),
        pytest.param({"rename-command": 'SPUBLISH ""'}, {"publish", "subscribe"}, id="before_7"),
    ],
)
async def test_messages_stay_in_a_shard_where_nodes_can_do_that(
    config: dict[str, str], used: set[str]
) -> None:
    """To find that out, a node is asked for one command, not for all."""
    with Cluster(config) as cluster:
        connection = Connection.open(cluster.url)
        async with connection.subscription(keyspace.CHANNEL) as heard:
            await heard.get_message(timeout=5)
            assert await connection.subscribers(keyspace.CHANNEL) == 1
            await connection.publish(keyspace.CHANNEL, "changed")
            message: Any = await heard.get_message(timeout=5)
        await connection.close()
        called = calls(cluster)
    assert message["data"] == b"changed"
    assert called & {"publish", "subscribe", "spublish", "ssubscribe"} == used
    assert {name for name in called if name.startswith("command")} == {"command|info"}
