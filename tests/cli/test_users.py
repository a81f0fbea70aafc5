"""`deviceflow users` with an external store, command by command."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from deviceflow.__main__ import main
from tests.stage.commands import StoredUser, Users
from tests.stage.valkey import Valkey

PASSWORD = "correct horse battery"


def test_add(users: Users, stored_user: StoredUser) -> None:
    """The password is kept as an Argon2id hash, and the subject is not the name (9700-4.15-a)."""
    arguments = ("--name", "Bob", "--email", "bob@example.com", "--password-stdin")
    result = users("add", "bob", *arguments, given=PASSWORD + "\n")
    assert (result.exit_code, result.stdout) == (0, "added bob\n")
    account = stored_user("bob")
    assert account is not None
    assert (account.name, account.email, account.disabled) == ("Bob", "bob@example.com", False)
    assert account.sub.startswith("user_")
    assert "bob" not in account.sub
    assert PasswordHasher().verify(account.password_hash, PASSWORD)


@pytest.mark.parametrize(
    ("command", "words"),
    [(("add", "ADA"), "a user ada already"), (("passwd", "bob"), "no user bob")],
)
def test_a_name_that_cannot_be_is_told_first(
    users: Users, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], words: str
) -> None:
    """Before anybody types a password twice."""
    monkeypatch.setattr("deviceflow.cli.password_prompt._has_terminal", lambda: True)
    result = users(*command, given=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 1
    assert words in result.stderr
    assert "Password" not in result.output


def test_a_name_that_is_taken_meanwhile(
    users: Users, stored_user: StoredUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person who was first keeps the account."""

    def slow(*_: object, **__: object) -> str:
        with ThreadPoolExecutor() as pool:
            other = pool.submit(
                users, "add", "bob", "--name", "First", "--password-stdin", given=PASSWORD
            )
            assert other.result().exit_code == 0
        return "another long password"

    monkeypatch.setattr("deviceflow.cli.password_prompt._has_terminal", lambda: True)
    monkeypatch.setattr("deviceflow.cli.password_prompt.click.prompt", slow)
    assert "already" in users("add", "bob", "--name", "Second").output
    account = stored_user("bob")
    assert account is not None
    assert account.name == "First"


@pytest.mark.parametrize(
    ("arguments", "given", "hint"),
    [
        (("add", "ada", "--password-stdin"), PASSWORD, "already"),
        (("add", "bob", "--password-stdin"), "short", "at least 8 characters"),
        (("add", "bob", "--password-stdin"), "", "at least 8 characters"),
        (("add", "bob", "--password-stdin"), b"\xff" * 10, "UTF-8"),
        (("add", "", "--password-stdin"), PASSWORD, "username"),
        (("add", " bob", "--password-stdin"), PASSWORD, "username"),
        (("add", "b\nob", "--password-stdin"), PASSWORD, "username"),
        (("add", "b" * 101, "--password-stdin"), PASSWORD, "username"),
        (("add", "b\udcffob", "--password-stdin"), PASSWORD, "UTF-8"),
        (("add", "bob", "--email", "nowhere", "--password-stdin"), PASSWORD, "--email"),
        (("add", "bob", "--name", "", "--password-stdin"), PASSWORD, "--name"),
        (("passwd", "nobody", "--password-stdin"), PASSWORD, "there is no user nobody"),
        (("disable", "nobody"), "", "there is no user nobody"),
        (("enable", "nobody"), "", "there is no user nobody"),
        (("remove", "nobody"), "", "there is no user nobody"),
        (("remove", "ada"), "", "in the file only"),
    ],
)
def test_refused(
    users: Users, stored_user: StoredUser, arguments: tuple[str, ...], given: str | bytes, hint: str
) -> None:
    """The command prints one line that says what to do, exits with 1, and stores nothing."""
    result = users(*arguments, given=given)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith("deviceflow: ")
    assert hint in line
    assert PASSWORD not in line
    assert stored_user("bob") is None


def test_disable_and_enable(users: Users, stored_user: StoredUser) -> None:
    for command, disabled in (("disable", True), ("disable", True), ("enable", False)):
        assert users(command, "ada").stdout == f"{command}d ada\n"
        account = stored_user("ada")
        assert account is not None
        assert account.disabled is disabled


def test_remove(users: Users, stored_user: StoredUser, valkey: Valkey) -> None:
    """It says what ends and what goes on; the name can be given to somebody else."""
    users("add", "bob", "--password-stdin", given=PASSWORD)
    before = stored_user("bob")
    assert before is not None
    result = users("remove", "BOB")
    assert (result.exit_code, result.stdout) == (0, "removed bob\n")
    assert "at most 1 hour (3600 s)" in result.stderr
    assert stored_user("bob") is None
    with valkey.client() as client:
        assert client.hlen("df:subjects") == 0
    assert "there is no user bob" in users("remove", "bob").stderr
    users("add", "bob", "--password-stdin", given=PASSWORD)
    after = stored_user("bob")
    assert after is not None
    assert after.sub != before.sub


def test_remove_the_copy_of_a_user_of_the_file(users: Users, stored_user: StoredUser) -> None:
    users("passwd", "ada", "--password-stdin", given=PASSWORD)
    result = users("remove", "ada")
    assert (result.exit_code, result.stdout) == (0, "removed ada\n")
    assert "in the file is in force again" in result.stderr
    assert stored_user("ada") is None
    assert users("list").stdout.split() == ["ada", "enabled", "file", "sub-ada"]


def test_remove_takes_the_factors(users: Users, stored_user: StoredUser, valkey: Valkey) -> None:
    users("add", "bob", "--password-stdin", given=PASSWORD)
    bob = stored_user("bob")
    assert bob is not None
    with valkey.client() as client:
        client.hset("df:factors", bob.sub, b"{}")
        client.hset("df:factors", "sub-ada", b"{}")
        users("passwd", "ada", "--password-stdin", given=PASSWORD)
        users("remove", "bob")
        users("remove", "ada")
        # Ada of the file is the same person, and still asked for her second factor.
        assert client.hkeys("df:factors") == [b"sub-ada"]


def test_list(users: Users) -> None:
    users("add", "bob", "--password-stdin", given=PASSWORD)
    users("disable", "bob")
    rows = [line.split() for line in users("list").output.splitlines()]
    assert rows[0] == ["ada", "enabled", "file", "sub-ada"]
    assert rows[1][:3] == ["bob", "disabled", "store"]


def test_list_as_json(users: Users) -> None:
    accounts = json.loads(users("list", "--json").output)
    assert accounts == [
        {
            "username": "ada",
            "sub": "sub-ada",
            "name": "Ada Lovelace",
            "email": None,
            "disabled": False,
            "source": "file",
            "upstream": [],
        }
    ]


DAMAGED = b'{"username": "bob"'
LATER = b'{"v": 2, "username": "bob"}'


@pytest.mark.parametrize("record", [DAMAGED, LATER])
def test_a_record_that_cannot_be_read(
    users: Users, stored_user: StoredUser, valkey: Valkey, record: bytes
) -> None:
    """The others are listed, this one is named, and can be removed by its name."""
    for name in ("bob", "carol"):
        users("add", name, "--password-stdin", given=PASSWORD)
    with valkey.client() as client:
        client.hset("df:users", "bob", record)

    listed = users("list")
    assert listed.exit_code == 1
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["ada", "carol"]
    assert 'deviceflow: "bob": the record of a user cannot be read' in listed.stderr
    as_json = users("list", "--json")
    assert as_json.exit_code == 1
    assert [user["username"] for user in json.loads(as_json.stdout)] == ["ada", "carol"]
    assert users("passwd", "bob", "--password-stdin", given=PASSWORD).exit_code == 1

    removed = users("remove", "Bob")
    assert (removed.exit_code, removed.stdout) == (0, "removed bob\n")
    with valkey.client() as client:
        assert set(client.hvals("df:subjects")) == {b"carol"}
    assert users("list").exit_code == 0
    assert users("add", "bob", "--password-stdin", given=PASSWORD).exit_code == 0
    assert stored_user("bob") is not None


def test_the_copy_of_a_user_of_the_file_cannot_be_read(users: Users, valkey: Valkey) -> None:
    """The user of the file is not in force until the copy is removed."""
    with valkey.client() as client:
        client.hset("df:users", "ada", b"{")
    listed = users("list")
    assert (listed.exit_code, listed.stdout) == (1, "")
    assert "no users yet" not in listed.stderr
    removed = users("remove", "ada")
    assert (removed.exit_code, removed.stdout) == (0, "removed ada\n")
    assert users("list").stdout.split() == ["ada", "enabled", "file", "sub-ada"]


def test_nobody_is_there(valkey: Valkey) -> None:
    with valkey.client() as client:
        client.flushall()
    result = CliRunner().invoke(main, ["users", "--redis-url", valkey.url, "list"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "users add" in result.stderr


@pytest.mark.parametrize("command", [("list",), ("disable", "ada")])
def test_the_store_is_out_of_reach(command: tuple[str, ...]) -> None:
    places = ["users", "--redis-url", "unix:///nowhere/valkey.sock"]
    result = CliRunner().invoke(main, [*places, *command])
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert "redis.url" in line


def test_the_data_directory_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    places = ["users", "--data-dir", str(tmp_path / "file" / "data")]
    result = CliRunner().invoke(main, [*places, "list"])
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert "server.data_dir" in line


def test_a_name_in_every_spelling(users: Users, stored_user: StoredUser) -> None:
    """RFC 8265: it is stored prepared, and found however it is typed."""
    result = users("add", "JOSE\u0301", "--password-stdin", given=PASSWORD)
    assert (result.exit_code, result.stdout) == (0, "added jos\u00e9\n")
    for command in ("disable", "enable"):
        assert users(command, "Jose\u0301").stdout == f"{command}d jos\u00e9\n"
    result = users("add", "Jos\u00e9", "--password-stdin", given=PASSWORD)
    assert (result.exit_code, "already" in result.stderr) == (1, True)
    assert "already" in users("add", "ADA", "--password-stdin", given=PASSWORD).stderr
    assert stored_user("jos\u00e9") is not None


@pytest.mark.parametrize("name", ["ad\u200ba", "a\u202eb", "\u2028", "\ufb01n"])
def test_a_name_that_can_be_none(users: Users, stored_user: StoredUser, name: str) -> None:
    result = users("add", name, "--password-stdin", given=PASSWORD)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "username: got" in result.stderr
    assert stored_user(name) is None


def test_a_name_for_people_that_lies(users: Users, stored_user: StoredUser) -> None:
    result = users("add", "bob", "--name", "\u202ebob", "--password-stdin", given=PASSWORD)
    assert (result.exit_code, "--name: got" in result.stderr) == (1, True)
    assert stored_user("bob") is None
