"""`deviceflow export` and `import`: from one store to another and back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.store import keyspace
from deviceflow.store.envelope import Envelope
from deviceflow.store.key_sets import key_fields_of, new_keys
from tests.stage.valkey import Valkey

Run = Callable[..., Result]


@pytest.fixture
def run(valkey: Valkey, tmp_path: Path) -> Run:
    """Return a function that runs a command with a passphrase."""
    with valkey.client() as client:
        client.flushall()
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery\n")

    def run(command: str, *arguments: str, env: dict[str, str] | None = None) -> Result:
        arguments = (command, "--passphrase-file", str(secret), *arguments)
        return CliRunner().invoke(main, arguments, env=env)

    return run


@pytest.fixture
def filled(valkey: Valkey) -> dict[bytes, bytes]:
    """Some records in the store."""
    with valkey.client() as client:
        client.hset(keyspace.USERS, "ada", "{}")
        client.hset(keyspace.INSTALLATION, "epoch", b"\x00\xff")
        client.set(keyspace.session("x"), b"\x01", ex=600)
        return {key: client.dump(key) or b"" for key in client.scan_iter()}


def contents(valkey: Valkey) -> dict[bytes, bytes]:
    with valkey.client() as client:
        return {key: client.dump(key) or b"" for key in client.scan_iter()}


def test_from_redis_into_the_embedded_store_and_back(
    run: Run, valkey: Valkey, filled: dict[bytes, bytes], tmp_path: Path
) -> None:
    first, second, data = tmp_path / "first", tmp_path / "second", tmp_path / "data"
    result = run("export", "--redis-url", valkey.url, str(first))
    assert (result.exit_code, result.stdout.split()[1]) == (0, "3"), result.output
    assert first.stat().st_mode & 0o777 == 0o600
    result = run("import", "--data-dir", str(data), str(first))
    assert result.exit_code == 0, result.output
    assert "3 records restored, 0 had ended" in result.stdout
    result = run("export", "--data-dir", str(data), str(second))
    assert result.exit_code == 0, result.output
    with valkey.client() as client:
        client.flushall()
    result = run("import", "--redis-url", valkey.url, str(second))
    assert result.exit_code == 0, result.output
    assert contents(valkey) == filled


def test_a_damaged_file_changes_nothing(
    run: Run, valkey: Valkey, filled: dict[bytes, bytes], tmp_path: Path
) -> None:
    file = tmp_path / "copy"
    assert run("export", "--redis-url", valkey.url, str(file)).exit_code == 0
    file.write_bytes(file.read_bytes()[:-1])
    result = run("import", "--replace", "--redis-url", valkey.url, str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cut off" in result.stderr
    assert contents(valkey) == filled


def test_data_is_replaced_only_if_asked(
    run: Run, valkey: Valkey, filled: dict[bytes, bytes], tmp_path: Path
) -> None:
    file = tmp_path / "copy"
    assert run("export", "--redis-url", valkey.url, str(file)).exit_code == 0
    with valkey.client() as client:
        client.hset(keyspace.USERS, "bob", "{}")
    result = run("import", "--redis-url", valkey.url, str(file))
    assert result.exit_code == 1
    assert "--replace" in result.stderr
    result = run("import", "--replace", "--redis-url", valkey.url, str(file))
    assert result.exit_code == 0
    assert contents(valkey) == filled


@pytest.mark.usefixtures("filled")
def test_a_file_is_not_overwritten(run: Run, valkey: Valkey, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_text("precious")
    result = run("export", "--redis-url", valkey.url, str(file))
    assert (result.exit_code, file.read_text()) == (1, "precious")
    assert "exists already" in result.stderr


@pytest.mark.usefixtures("filled")
def test_a_folder_that_does_not_exist(run: Run, valkey: Valkey, tmp_path: Path) -> None:
    result = run("export", "--redis-url", valkey.url, str(tmp_path / "nowhere" / "copy"))
    assert result.exit_code == 1
    assert "No such file" in result.stderr


def test_passphrases(valkey: Valkey, tmp_path: Path) -> None:
    file, secret = tmp_path / "copy", tmp_path / "secret"

    def run(command: str, passphrase: str) -> Result:
        secret.write_text(passphrase)
        options = ["--redis-url", valkey.url, "--passphrase-file", str(secret)]
        return CliRunner().invoke(main, [command, *options, str(file)])

    result = run("export", "short\n")
    assert (result.exit_code, "too short" in result.stderr) == (1, True)
    assert run("export", "long enough for this\n").exit_code == 0
    result = run("import", "long enough but wrong\n")
    assert (result.exit_code, "passphrase is wrong" in result.stderr) == (1, True)
    result = CliRunner().invoke(main, ["import", "--redis-url", valkey.url, str(file)])
    assert (result.exit_code, "--passphrase-file" in result.stderr) == (1, True)


def test_sealed_keys_are_put_only_where_they_can_be_opened(
    run: Run, valkey: Valkey, tmp_path: Path
) -> None:
    file, key = tmp_path / "copy", tmp_path / "key"
    key.write_text("ab" * 32)
    envelope = Envelope(lambda: [bytes.fromhex("ab" * 32)])
    with valkey.client() as client:
        client.hset(keyspace.INSTALLATION, mapping=dict(key_fields_of(new_keys(), envelope)))
    assert run("export", "--redis-url", valkey.url, str(file)).exit_code == 0
    before = contents(valkey)
    put = ("import", "--replace", "--redis-url", valkey.url, str(file))
    refused = run(*put)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"{file}: the keys in it are sealed by the envelope key" in refused.stderr
    missing = run(*put, env={"DEVICEFLOW_KEYS_ENVELOPE_FILE": str(tmp_path / "no")})
    assert "cannot be read: No such file" in missing.stderr
    assert contents(valkey) == before
    assert run(*put, env={"DEVICEFLOW_KEYS_ENVELOPE_FILE": str(key)}).exit_code == 0
    assert contents(valkey) == before
