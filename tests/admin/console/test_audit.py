"""The newest security events in the console."""

import pytest
from msgspec.structs import replace

from deviceflow.audit.events import SecurityEvent
from deviceflow.config import AuditSettings, Settings
from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import Worker


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, audit=AuditSettings(sinks=()))


async def test_events_are_shown_with_who_and_where(console: ConsoleBrowser, worker: Worker) -> None:
    worker.parts.audit.record(
        SecurityEvent.SIGN_IN_FAILED, outcome="failure", sub="<ada>", address="203.0.113.7"
    )
    await console.open("/console/audit")
    assert "sign_in.failed" in console.text
    assert "&lt;ada&gt;" in console.page
    assert "203.0.113.7" in console.text
    assert "operator.signed_in" in console.text
    assert "the events of one worker only" in console.text
