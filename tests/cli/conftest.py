"""Fixtures for the commands."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.core.client import Client
from deviceflow.store.accounts import Account
from tests.stage.commands import Clients, Stored, StoredUser, Users
from tests.stage.valkey import Valkey

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


@pytest.fixture
def clients(valkey: Valkey, tmp_path: Path) -> Clients:
    """Return a function that runs `deviceflow clients`."""
    with valkey.client() as client:
        client.flushall()
    config = tmp_path / "deviceflow.toml"
    config.write_text(FILE, encoding="utf-8")

    def run(*arguments: str, stdin: str | None = None) -> Result:
        places = ["clients", "--config", str(config), "--redis-url", valkey.url]
        return CliRunner().invoke(main, [*places, *arguments], input=stdin)

    return run


@pytest.fixture
def stored(valkey: Valkey) -> Stored:
    """Return a function that reads a client from the store."""

    def read(client_id: str) -> Client | None:
        with valkey.client() as client:
            record = client.hget("df:clients", client_id)
        assert record is None or isinstance(record, bytes)
        return msgspec.json.decode(record, type=Client) if record else None

    return read


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
    with valkey.client() as client:
        client.flushall()
    config = tmp_path / "deviceflow.toml"
    config.write_text(USERS_FILE, encoding="utf-8")

    def run(*arguments: str, given: str | bytes = "") -> Result:
        places = ["users", "--config", str(config), "--redis-url", valkey.url]
        return CliRunner().invoke(main, [*places, *arguments], input=given)

    return run


@pytest.fixture
def stored_user(valkey: Valkey) -> StoredUser:
    """Return a function that reads an account from the store."""

    def read(username: str) -> Account | None:
        with valkey.client() as client:
            record = client.hget("df:users", username)
        assert record is None or isinstance(record, bytes)
        return msgspec.json.decode(record, type=Account) if record else None

    return read
