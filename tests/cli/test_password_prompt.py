"""A new password is asked for at a terminal, or read from a pipe."""

import pytest
from argon2 import PasswordHasher

from tests.stage.commands import StoredUser, Users

PASSWORD = "correct horse battery"


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nanother line\n"])
def test_the_password_is_the_first_line(users: Users, stored_user: StoredUser, end: str) -> None:
    users("add", "bob", "--password-stdin", given=PASSWORD + end)
    account = stored_user("bob")
    assert account is not None
    assert PasswordHasher().verify(account.password_hash, PASSWORD)


def test_a_password_is_typed_twice_and_not_shown(
    users: Users, stored_user: StoredUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deviceflow.cli.password_prompt._has_terminal", lambda: True)
    result = users("add", "bob", given=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert stored_user("bob") is not None


def test_a_short_password_is_asked_for_again(
    users: Users, stored_user: StoredUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deviceflow.cli.password_prompt._has_terminal", lambda: True)
    for command in ("add", "passwd"):
        result = users(command, "bob", given=f"short\nshort\n{PASSWORD}\n{PASSWORD}\n")
        assert result.exit_code == 0
        assert "at least 8 characters; try again" in result.stderr
    assert stored_user("bob") is not None


@pytest.mark.parametrize("command", ["add", "passwd"])
def test_nobody_can_be_asked(
    users: Users, stored_user: StoredUser, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """In a job or a container, there is one line and no prompt."""
    monkeypatch.setattr("deviceflow.cli.password_prompt.os.open", _no_terminal)
    username = {"add": "bob", "passwd": "ada"}[command]
    result = users(command, username, given=f"{PASSWORD}\n{PASSWORD}\n")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "--password-stdin" in line
    assert stored_user(username) is None


def _no_terminal(*_: object) -> int:
    raise OSError
