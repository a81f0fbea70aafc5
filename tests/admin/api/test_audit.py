"""The newest security events, in the API and in the console."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from deviceflow.audit.opening import open_sinks
from deviceflow.config import AuditSettings, Settings
from tests.stage.admin import Operator
from tests.stage.oauth import Worker
from tests.stage.waiting import until


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return replace(settings, audit=AuditSettings(file=str(tmp_path / "audit.jsonl")))


async def test_what_happened_is_listed_the_newest_first(
    operator: Operator, worker: Worker, settings: Settings
) -> None:
    audit = worker.parts.audit
    sinks = open_sinks(settings, worker.parts.clock)
    async with audit.open(sinks.outlets(audit.recorder)):
        assert (await operator.get("/audit")).body == {"events": [], "source": "file"}
        codes = (await worker.authorize()).body
        found = (await operator.post("/grants/find", {"user_code": codes["user_code"]})).body
        await operator.post(f"/grants/{found['id']}/cancel", {})
        await Operator(worker, "wrong").get("/clients")

        async def events() -> list[dict[str, str]]:
            listed: list[dict[str, str]] = (await operator.get("/audit?limit=3")).body["events"]
            return listed

        await until(lambda: len(audit.recent) == 4)
    refused, cancelled, started = await events()
    assert (started["event"], cancelled["event"]) == ("grant.started", "grant.cancelled")
    assert started["grant"] == cancelled["grant"] == found["log_id"]
    assert cancelled["by"].startswith("token:")
    assert cancelled["address"] == "127.0.0.1"
    assert (refused["event"], refused["way"]) == ("operator.refused", "api")
    assert refused["outcome"] == "failure"
    for secret in (codes["device_code"], codes["user_code"], "wrong"):
        assert secret not in str(await events())


async def test_a_limit_that_is_none(operator: Operator) -> None:
    for limit in ("0", "201", "x"):
        answer = await operator.get(f"/audit?limit={limit}")
        assert (answer.status, answer.body["error"]) == (400, "invalid_request")
