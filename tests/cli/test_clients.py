"""`deviceflow clients` on a store that somebody else runs."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.core.client import Client

if TYPE_CHECKING:
    from tests.conftest import Valkey

FILE = """
[[clients]]
client_id = "tv-app"
name = "Living-room TV"
scopes = ["openid"]
"""
Clients = Callable[..., Result]
Stored = Callable[[str], Client | None]


@pytest.fixture
def clients(valkey: "Valkey", tmp_path: Path) -> Clients:
    """Runs `deviceflow clients`."""
    with valkey.client() as client:
        client.flushall()
    config = tmp_path / "deviceflow.toml"
    config.write_text(FILE, encoding="utf-8")

    def run(*arguments: str) -> Result:
        places = ["clients", "--config", str(config), "--redis-url", valkey.url]
        return CliRunner().invoke(main, [*places, *arguments])

    return run


@pytest.fixture
def stored(valkey: "Valkey") -> Stored:
    """Reads a client out of the store."""

    def read(client_id: str) -> Client | None:
        with valkey.client() as client:
            record = client.hget("df:clients", client_id)
        assert record is None or isinstance(record, bytes)
        return msgspec.json.decode(record, type=Client) if record else None

    return read


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def test_a_public_client(clients: Clients, stored: Stored) -> None:
    result = clients("add", "radio", "--name", "Radio", "--scope", "openid profile")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "added radio" in result.stderr
    assert stored("radio") == Client(client_id="radio", name="Radio", scopes=("openid", "profile"))


def test_a_secret_is_printed_once(clients: Clients, stored: Stored, valkey: "Valkey") -> None:
    """6749-10.3-a: the store has its hash; it stands alone on stdout, for a pipe."""
    result = clients(
        "add", "api", "--name", "API", "--auth-method", "client_secret_basic", "--introspect"
    )
    secret = result.stdout.strip()
    assert len(secret) == 43
    client = stored("api")
    assert client is not None
    assert client.introspect
    assert client.secret_sha256 == (digest(secret),)
    shown = clients("show", "api").output
    assert json.loads(shown)["secret_sha256"] == "1 secrets"
    assert secret not in shown
    assert digest(secret) not in shown
    with valkey.client() as inside:
        assert secret.encode() not in inside.dump("df:clients")


def test_several_secrets(clients: Clients, stored: Stored) -> None:
    """The one before stays good until the next."""
    added = clients("add", "api", "--name", "API", "--auth-method", "client_secret_post")
    secrets = [added.stdout.strip()]
    for _ in range(3):
        secrets.append(clients("rotate-secret", "api").stdout.strip())
        client = stored("api")
        assert client is not None
        assert client.secret_sha256 == (digest(secrets[-1]), digest(secrets[-2]))
    assert len(set(secrets)) == 4


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("add", "tv-app", "--name", "TV"), "already"),
        (("add", "two words", "--name", "TV"), "client_id"),
        (("add", "radio", "--name", ""), "name"),
        (("add", "radio", "--name", "Radio", "--scope", '"'), "scope"),
        (("add", "radio", "--name", "Radio", "--introspect"), "--auth-method"),
        (("show", "nobody"), "there is no client nobody"),
        (("disable", "nobody"), "there is no client nobody"),
        (("enable", "nobody"), "there is no client nobody"),
        (("rotate-secret", "nobody"), "there is no client nobody"),
        (("rotate-secret", "tv-app"), "not with a secret"),
    ],
)
def test_refused(clients: Clients, stored: Stored, arguments: tuple[str, ...], hint: str) -> None:
    """One line, status 1, and nothing is stored."""
    result = clients(*arguments)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith("deviceflow: ")
    assert hint in line
    assert stored("radio") is None


def test_disable_and_enable(clients: Clients, stored: Stored, valkey: "Valkey") -> None:
    """A client of the file too, which stands in the store from then on; workers are told."""
    for number, (command, enabled) in enumerate((("disable", False), ("enable", True)), 1):
        assert clients(command, "tv-app").output == f"{command}d tv-app\n"
        client = stored("tv-app")
        assert client is not None
        assert (client.name, client.enabled) == ("Living-room TV", enabled)
        with valkey.client() as inside:
            assert inside.get("df:revision") == str(number).encode()


def test_list(clients: Clients) -> None:
    clients("add", "radio", "--name", "Radio", "--scope", "")
    clients("disable", "radio")
    rows = [line.split() for line in clients("list").output.splitlines()]
    assert rows[0][:5] == ["radio", "disabled", "store", "none", "-"]
    assert rows[1][:5] == ["tv-app", "enabled", "file", "none", "openid"]


@pytest.mark.parametrize("command", [("list",), ("disable", "x"), ("show", "x")])
def test_the_store_is_out_of_reach(command: tuple[str, ...]) -> None:
    places = ["clients", "--redis-url", "unix:///nowhere/valkey.sock"]
    result = CliRunner().invoke(main, [*places, *command])
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert "redis.url" in line
