"""`deviceflow issuer`: whose store it is, and how it becomes another issuer's."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from tests.stage.valkey import Valkey

REAL, NEW = "https://login.example.com", "https://sign-in.example.com"
Run = Callable[..., Result]


@pytest.fixture
def run(valkey: Valkey, tmp_path: Path) -> Run:
    """Return a function that runs `deviceflow issuer` with the settings of an issuer."""
    with valkey.client() as client:
        client.flushall()

    def command(issuer: str, *arguments: str) -> Result:
        config = tmp_path / "deviceflow.toml"
        config.write_text(f'issuer = "{issuer}"\n', encoding="utf-8")
        places = ["issuer", "--config", str(config), "--redis-url", valkey.url]
        return CliRunner().invoke(main, [*places, *arguments])

    return command


def note(valkey: Valkey, issuer: str) -> None:
    """Do what a server does at its start."""
    with valkey.client() as client:
        client.hset("df:install:{feed}", "issuer", issuer)


@pytest.mark.parametrize("arguments", [[], ["--move"]])
def test_no_server_has_started_yet(run: Run, arguments: list[str]) -> None:
    result = run(REAL, *arguments)
    assert result.exit_code == 1
    assert "no server has started on this store yet" in result.stderr


def test_a_store_is_moved(run: Run, valkey: Valkey) -> None:
    note(valkey, REAL)
    result = run(NEW)
    assert (result.exit_code, result.stdout) == (0, f"{REAL}\n")
    assert f"the settings have another one: {NEW}" in result.stderr
    moved = run(NEW, "--move")
    assert (moved.exit_code, moved.stdout) == (0, f"moved from {REAL} to {NEW}\n")
    assert "Access tokens of the old issuer are refused" in moved.stderr
    assert run(NEW).stdout == f"{NEW}\n"
    assert "already" in run(NEW, "--move").stdout


def test_not_while_a_server_runs(run: Run, valkey: Valkey) -> None:
    note(valkey, REAL)
    with valkey.client() as client, client.pubsub() as server:
        server.subscribe("df:decided")
        server.get_message(timeout=5)
        result = run(NEW, "--move")
    assert result.exit_code == 1
    assert "a server is running on this store; stop it on all hosts first" in result.stderr
    assert run(REAL).stdout == f"{REAL}\n"
