"""What the store says of itself, and what of that an operator is warned of."""

import time
from collections.abc import Callable

import pytest

from deviceflow.store.survey import StoreReport, survey
from tests.stage.valkey import Valkey, open_connection

REMEDY = "With appendonly yes and appendfsync always, none is lost"

StartValkey = Callable[..., Valkey]


async def report_of(server: Valkey) -> StoreReport:
    connection = open_connection(server.url)
    try:
        return await survey(connection, time.time)
    finally:
        await connection.close()


async def test_a_store_that_is_as_it_should_be(start_valkey: StartValkey) -> None:
    config = {"appendonly": "yes", "appendfsync": "always", "maxmemory": "100mb"}
    report = await report_of(start_valkey(config))
    assert report.findings() == []
    (server,) = report.servers
    assert "keeps its data on disk: yes, appendfsync always" in server.lines()


@pytest.mark.parametrize(
    ("config", "risk"),
    [
        ({"appendonly": "yes", "appendfsync": "everysec"}, "appendfsync is everysec;"),
        ({"appendonly": "yes", "appendfsync": "no"}, "appendfsync is no;"),
        # These are the settings that Redis comes with.
        ({"save": "3600 1"}, "it keeps snapshots only;"),
    ],
)
async def test_a_store_that_acknowledges_what_it_has_not_written(
    start_valkey: StartValkey, config: dict[str, str], risk: str
) -> None:
    """It is no risk where a replica has the decision, too."""
    report = await report_of(start_valkey(config | {"maxmemory": "100mb"}))
    (finding,) = report.findings()
    assert finding.startswith(risk)
    assert finding.endswith(REMEDY)
    assert report.findings(confirming=1) == []


async def test_a_store_that_keeps_nothing_has_nothing_to_write(start_valkey: StartValkey) -> None:
    report = await report_of(start_valkey({"appendfsync": "everysec", "maxmemory": "100mb"}))
    (finding,) = report.findings()
    assert finding.startswith("it keeps nothing on disk")
    assert "with appendonly yes and appendfsync always" in finding


async def test_a_store_that_does_not_tell(start_valkey: StartValkey) -> None:
    """Managed services forbid CONFIG. Then no more is said than is known."""
    config = {"appendonly": "yes", "maxmemory": "100mb", "rename-command": 'CONFIG ""'}
    report = await report_of(start_valkey(config))
    assert report.findings() == []
    assert "keeps its data on disk: yes" in report.servers[0].lines()
