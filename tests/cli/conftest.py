"""Fixtures for the commands."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.core.client import Client
from deviceflow.store.accounts import Account
from tests.stage.commands import Clients, Stored, StoredUser, Users
from tests.stage.valkey import Valkey

T = TypeVar("T")

Run = Callable[[tuple[str, ...], str | bytes | None], Result]
"""Runs a command with arguments and a standard input."""

FILE = """
[scopes]
print = "Print"
files = "Read your files"

[[resources]]
resource = "https://api.example/print"
scopes = ["print"]

[[resources]]
resource = "https://files.example"
scopes = ["files"]

[[clients]]
client_id = "tv-app"
name = "Living-room TV"
scopes = ["openid"]
"""


def command_at(valkey: Valkey, config: Path, group: str, text: str) -> Run:
    """Empty the store, write the settings, and return what runs a group of commands there."""
    with valkey.client() as client:
        client.flushall()
    config.write_text(text, encoding="utf-8")

    def run(arguments: tuple[str, ...], given: str | bytes | None) -> Result:
        places = [group, "--config", str(config), "--redis-url", valkey.url]
        return CliRunner().invoke(main, [*places, *arguments], input=given)

    return run


def read_record(valkey: Valkey, key: str, field: str, kind: type[T]) -> T | None:
    """Read a record from the store."""
    with valkey.client() as client:
        record = client.hget(key, field)
    assert record is None or isinstance(record, bytes)
    return msgspec.json.decode(record, type=kind) if record else None


@pytest.fixture
def clients(valkey: Valkey, tmp_path: Path) -> Clients:
    """Return a function that runs `deviceflow clients`."""
    run = command_at(valkey, tmp_path / "deviceflow.toml", "clients", FILE)
    return lambda *arguments, stdin=None: run(arguments, stdin)


@pytest.fixture
def stored(valkey: Valkey) -> Stored:
    """Return a function that reads a client from the store."""
    return lambda client_id: read_record(valkey, "df:clients", client_id, Client)


USERS_FILE = """
[[users]]
username = "ada"
name = "Ada Lovelace"
sub = "sub-ada"
password_hash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"

[[upstream]]
id = "acme"
issuer = "https://sso.example.com"
client_id = "deviceflow"
client_secret = "hush"
"""


@pytest.fixture
def users(valkey: Valkey, tmp_path: Path) -> Users:
    """Return a function that runs `deviceflow users`. `given`: its standard input."""
    run = command_at(valkey, tmp_path / "deviceflow.toml", "users", USERS_FILE)
    return lambda *arguments, given="": run(arguments, given)


@pytest.fixture
def stored_user(valkey: Valkey) -> StoredUser:
    """Return a function that reads an account from the store."""
    return lambda username: read_record(valkey, "df:users", username, Account)
