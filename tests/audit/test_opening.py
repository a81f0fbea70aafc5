"""The sinks that the settings name."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deviceflow.audit.opening import audit_file, open_sinks
from deviceflow.audit.security_event_token import TOLD_EVENTS
from deviceflow.config import AuditSettings, SecurityEvents, Server, Settings
from deviceflow.ops.metrics.recorder import Recorder


def names(audit: AuditSettings) -> list[str]:
    sinks = open_sinks(Settings(audit=audit), time.time)
    return [outlet.sink.name for outlet in sinks.outlets(Recorder.alone())]


def test_each_setting_has_its_sink() -> None:
    assert names(AuditSettings()) == ["file"]
    assert names(AuditSettings(sinks=())) == []
    webhook = AuditSettings(
        sinks=("file", "stdout"), webhook_url="https://x.example", webhook_secret="s" * 32
    )
    assert names(webhook) == ["file", "stdout", "webhook"]


def sign(_claims: Mapping[str, Any], _token_type: str) -> str:
    return "token"


def test_with_keys_a_receiver_is_told_of_security_events() -> None:
    settings = Settings(
        audit=AuditSettings(sinks=()),
        security_events=SecurityEvents(
            url="https://x.example/events", audience="https://x.example"
        ),
    )
    (outlet,) = open_sinks(settings, time.time, sign).outlets(Recorder.alone())
    assert outlet.sink.name == "security_events"
    assert outlet.events == TOLD_EVENTS
    assert not open_sinks(settings, time.time).outlets(Recorder.alone())
    without = Settings(audit=settings.audit)
    assert not open_sinks(without, time.time, sign).outlets(Recorder.alone())


def test_where_the_file_is() -> None:
    server = Server(data_dir="/var/lib/deviceflow")
    assert audit_file(Settings(server=server)) == Path("/var/lib/deviceflow/audit.jsonl")
    elsewhere = AuditSettings(file="/var/log/a.jsonl")
    assert audit_file(Settings(server=server, audit=elsewhere)) == Path("/var/log/a.jsonl")
    assert audit_file(Settings(audit=AuditSettings(sinks=("stdout",)))) is None


def test_without_a_file_a_chain_follows_nothing() -> None:
    sinks = open_sinks(Settings(audit=AuditSettings(sinks=())), time.time)
    assert sinks.last_place() == ""
