"""What commands record: who did it, as a chain of its own, in the file of this host."""

import json
import time
from pathlib import Path
from typing import Any

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.security_event_token import ACCOUNT_DISABLED
from deviceflow.audit.system_user import system_user
from deviceflow.cli.auditing import record_ended_access
from deviceflow.config import SecurityEvents, Server, Settings
from deviceflow.signing.signer import Signer
from deviceflow.start import prepare
from deviceflow.store.connection import Connection
from tests.stage.commands import Clients
from tests.stage.receiver import Receiver
from tests.stage.valkey import Valkey

Line = dict[str, Any]


def lines(tmp_path: Path) -> list[Line]:
    text = (tmp_path / "deviceflow-data" / "audit.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_each_change_of_a_client_is_recorded(clients: Clients, tmp_path: Path) -> None:
    (tmp_path / "deviceflow-data").mkdir()
    added = clients("add", "radio", "--name", "Radio", "--auth-method", "client_secret_basic")
    secret = added.stdout.strip()
    clients("disable", "radio")
    rotated = clients("rotate-secret", "radio").stdout.strip()
    clients("set", "radio", "--name", "Kitchen", "--publisher", "Nebula")
    clients("revoke", "radio")
    clients("cancel", "radio")
    clients("remove", "radio")
    clients("show", "tv-app")
    found = lines(tmp_path)
    changes = [line for line in found if not line["event"].startswith("chain.")]
    assert [(line["event"], line.get("reason")) for line in changes] == [
        ("client.added", None),
        ("client.changed", "disabled"),
        ("client.changed", "secret rotated"),
        ("client.changed", "name publisher"),
        ("client.disconnected", None),
        ("client.grants_cancelled", None),
        ("client.removed", None),
    ]
    assert {line["client_id"] for line in changes} == {"radio"}
    assert {line["by"] for line in changes} == {system_user()}
    assert [line["event"] for line in found[:3]] == ["chain.started", "client.added", "chain.ended"]
    assert found[0]["process"] == "command"
    assert secret not in str(found)
    assert rotated not in str(found)


def test_a_change_that_was_refused_is_none(clients: Clients, tmp_path: Path) -> None:
    (tmp_path / "deviceflow-data").mkdir()
    assert clients("remove", "nobody").exit_code == 1
    assert not (tmp_path / "deviceflow-data" / "audit.jsonl").exists()


def test_a_host_without_the_servers_folder_says_so(clients: Clients, tmp_path: Path) -> None:
    result = clients("add", "radio", "--name", "Radio")
    assert result.exit_code == 0
    assert "this change is not in the audit file" in result.stderr
    assert not (tmp_path / "deviceflow-data").exists()


async def test_what_ends_access_is_told_to_the_receiver_of_security_events(
    valkey: Valkey, connection: Connection, tmp_path: Path
) -> None:
    """Signed with the keys of the store."""
    async with Receiver(status=202).running() as receiver:
        events = SecurityEvents(url=receiver.url, audience="https://gateway.example.com")
        server = Server(data_dir=str(tmp_path))
        settings = Settings(server=server, security_events=events)
        secrets = await prepare(settings, valkey.url)
        await record_ended_access(
            settings, connection, SecurityEvent.ACCOUNT_CHANGED, sub="ada", reason="disabled"
        )
    (token,) = receiver.bodies
    claims = Signer(secrets.signing_keys, "ES256", time.time).verify(token.decode()).claims
    assert claims["events"][ACCOUNT_DISABLED]["initiating_entity"] == "admin"
    assert '"account.changed"' in (tmp_path / "audit.jsonl").read_text(encoding="utf-8")
