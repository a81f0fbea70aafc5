"""`deviceflow keys` with an external store."""

import re
from collections.abc import Callable

import msgspec
import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.core.signing_key import SigningKey
from deviceflow.signing.keys import new_key
from deviceflow.store import keyspace, rotation
from tests.stage.valkey import Valkey

Keys = Callable[..., Result]


@pytest.fixture
def keys(valkey: Valkey) -> Keys:
    """Return a function that runs `deviceflow keys`."""
    with valkey.client() as client:
        client.flushall()

    def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
        arguments = ("keys", "--redis-url", valkey.url, *arguments)
        return CliRunner().invoke(main, arguments, env=env)

    return run


@pytest.fixture
def first(keys: Keys, valkey: Valkey) -> SigningKey:
    """Return the key that a server has made."""
    assert keys("list").stdout == ""
    key = new_key("ES256", 1)
    with valkey.client() as client:
        client.hset("df:signing", key.key_id, msgspec.json.encode(key))
    return key


def test_none_yet(keys: Keys) -> None:
    result = keys("list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "first start" in result.stderr


def test_rotate_and_retire(keys: Keys, first: SigningKey, valkey: Valkey) -> None:
    """OIDC-10.1.1-a: the private key is never shown, and every worker learns of the change."""
    (line,) = keys("list").output.splitlines()
    assert line.split()[:3] == [first.key_id, "ES256", "signs"]
    result = keys("rotate")
    assert result.exit_code == 0
    new = result.output.split()[0]
    rows = {line.split()[0]: line for line in keys("list").output.splitlines()}
    assert rows.keys() == {first.key_id, new}
    assert "verifies" in rows[first.key_id]
    assert "published until" in rows[first.key_id]
    assert "signs" in rows[new]
    assert str(first.jwk["d"]) not in keys("list").output
    assert keys("retire", first.key_id).stdout == f"{first.key_id} is withdrawn\n"
    assert len(keys("list").output.splitlines()) == 1
    with valkey.client() as client:
        assert client.get(keyspace.REVISION) == b"2"


def test_after_a_change_of_the_algorithm(
    keys: Keys, first: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OIDC-10.1.1-a: a new key sets the expiry of the old one."""
    monkeypatch.setenv("DEVICEFLOW_TOKENS_ALGORITHM", "Ed25519")
    (line,) = keys("list").stdout.splitlines()
    assert "verifies" in line
    assert "published until" not in line
    new = keys("rotate").output.split()[0]
    rows = {line.split()[0]: line for line in keys("list").stdout.splitlines()}
    assert "published until" in rows[first.key_id]
    assert rows[new].split()[1:3] == ["Ed25519", "signs"]
    assert keys("retire", new).exit_code == 1
    assert keys("retire", first.key_id).exit_code == 0


def test_the_key_that_signs_stays(keys: Keys, first: SigningKey) -> None:
    result = keys("retire", first.key_id)
    assert result.exit_code == 1
    assert "rotate" in result.output
    assert first.key_id in keys("list").output


def test_an_unknown_key(keys: Keys, first: SigningKey) -> None:
    result = keys("retire", "nothing")
    assert first.key_id not in result.output
    assert result.exit_code == 1
    assert "there is no key nothing" in result.output


@pytest.mark.parametrize("command", [("list",), ("rotate",), ("retire", "x")])
def test_the_store_is_out_of_reach(command: tuple[str, ...]) -> None:
    places = ["keys", "--redis-url", "unix:///nowhere/valkey.sock"]
    result = CliRunner().invoke(main, [*places, *command])
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert "redis.url" in line


def test_a_record_that_cannot_be_read(keys: Keys, first: SigningKey, valkey: Valkey) -> None:
    """It is printed beside the list. Keys can still be rotated, and it can be withdrawn."""
    with valkey.client() as client:
        client.hset("df:signing", "later", b'{"unheard_of":1}')
    result = keys("list")
    assert [line.split()[0] for line in result.stdout.splitlines()] == [first.key_id]
    assert "deviceflow keys retire later" in result.stderr
    assert keys("rotate").exit_code == 0
    result = keys("retire", "later")
    assert (result.exit_code, result.stdout) == (0, "later is withdrawn\n")
    assert keys("list").stderr == ""


@pytest.mark.parametrize("key_id", ["-Q0", "-h0", "--0"])
def test_an_id_that_begins_with_a_hyphen(keys: Keys, valkey: Valkey, key_id: str) -> None:
    """Thumbprints are base64url, so they may begin with a hyphen."""
    key = new_key("Ed25519", 1)
    key = msgspec.structs.replace(key, jwk=key.jwk | {"kid": key_id})
    with valkey.client() as client:
        client.hset("df:signing", key_id, msgspec.json.encode(key))
    result = keys("retire", key_id)
    assert (result.exit_code, result.stdout) == (0, f"{key_id} is withdrawn\n")
    assert "KEY_ID" in keys("retire", "--help").stdout


def test_seal_and_unseal(keys: Keys, first: SigningKey, valkey: Valkey) -> None:
    secret = str(first.jwk["d"]).encode()
    refused = keys("seal")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("deviceflow: there is no envelope key; set keys.envelope_file")

    variables = {"DEVICEFLOW_KEYS_ENVELOPE_KEYS": "ab" * 32}
    sealed = keys("seal", env=variables)
    assert sealed.exit_code == 0, sealed.output
    assert sealed.stdout.startswith("4 keys are sealed by the envelope key ")
    with valkey.client() as client:
        assert secret not in client.hget(keyspace.SIGNING_KEYS, first.key_id)
    lost = keys("list")
    assert (lost.exit_code, lost.stdout) == (1, "")
    assert "deviceflow: sealed by the envelope key" in lost.stderr
    assert keys("list", env=variables).stdout.startswith(f"{first.key_id}  ES256")
    assert keys("rotate", env=variables).exit_code == 0

    unsealed = keys("unseal", env=variables)
    assert unsealed.stdout == "5 keys are not sealed any more\n"
    assert len(keys("list").stdout.splitlines()) == 2


@pytest.mark.usefixtures("first")
def test_rotate_the_keys_of_the_installation(
    keys: Keys, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "LEAD_S", -1)  # they serve already
    before = keys("list").stdout
    rotated = keys("rotate", "--installation", "--overlap", "60")
    assert rotated.exit_code == 0, rotated.output
    assert re.fullmatch(
        r"new keys of the installation serve from [-0-9: ]+ UTC, the old ones until [-0-9: ]+ UTC\n"
        r"secrets of authenticator apps that were encrypted again: 0\n",
        rotated.stdout,
    )
    assert keys("list").stdout == before
    with valkey.client() as client:
        assert set(client.hgetall(keyspace.INSTALLATION)) == {b"epoch", b"v", b"keys"}
    monkeypatch.setattr(rotation, "LEAD_S", 600)
    monkeypatch.setattr("deviceflow.cli.keys.finish_rotation", _nothing_left)
    assert keys("rotate", "--installation").exit_code == 0
    hasty = keys("rotate", "--installation")
    assert hasty.exit_code == 1
    assert "the keys of the last rotation serve in" in hasty.stderr


async def _nothing_left(*_: object) -> int:
    return 0


def test_an_overlap_is_for_the_installation(keys: Keys) -> None:
    result = keys("rotate", "--overlap", "60")
    assert result.exit_code == 1
    assert "--overlap is for --installation" in result.stderr
