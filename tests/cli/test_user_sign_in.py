"""`deviceflow users passwd`, `link` and `reset-factors`: how a person signs in."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher

from deviceflow.core.upstream_person import UpstreamSubject
from tests.stage.commands import StoredUser, Users
from tests.stage.valkey import Valkey

PASSWORD = "correct horse battery"


def test_passwd_changes_nothing_else(users: Users, stored_user: StoredUser) -> None:
    """A user of the file is copied into the store."""
    assert users("passwd", "ada", "--password-stdin", given=PASSWORD).exit_code == 0
    account = stored_user("ada")
    assert account is not None
    assert (account.sub, account.name, account.source) == ("sub-ada", "Ada Lovelace", "store")
    assert PasswordHasher().verify(account.password_hash, PASSWORD)


def test_passwd_undoes_nothing_that_happens_while_it_is_typed(
    users: Users, stored_user: StoredUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another operator disables the account meanwhile."""
    assert users("add", "bob", "--password-stdin", given=PASSWORD).exit_code == 0

    def slow(*_: object, **__: object) -> str:
        with ThreadPoolExecutor() as pool:
            assert pool.submit(users, "disable", "bob").result().exit_code == 0
        return "another long password"

    monkeypatch.setattr("deviceflow.cli.password_prompt._has_terminal", lambda: True)
    monkeypatch.setattr("deviceflow.cli.password_prompt.click.prompt", slow)
    assert users("passwd", "bob").exit_code == 0
    account = stored_user("bob")
    assert account is not None
    assert account.disabled
    assert PasswordHasher().verify(account.password_hash, "another long password")


def test_reset_factors(users: Users, valkey: Valkey) -> None:
    """For a person who has lost the phone; and whoever gets the name next begins without any."""
    record = b'{"authenticator":{"secret":"AAAA","added_at":1,"used_step":1},"recovery":["a","b"],'
    record += b'"passkeys":[{"id":"c","public_key":"","sign_count":0,"name":"x","added_at":1}]}'
    with valkey.client() as client:
        client.hset("df:factors", "sub-ada", record)
        client.hset("df:passkeys", "c", "sub-ada")
    result = users("reset-factors", "ada")
    assert result.exit_code == 0
    assert "passkeys: 1, an authenticator app, recovery codes: 2" in result.stdout
    with valkey.client() as client:
        assert not client.exists("df:factors", "df:passkeys")
    assert "passkeys: 0, no authenticator app" in users("reset-factors", "ada").stdout
    assert "there is no user eve" in users("reset-factors", "eve").stderr


def test_link(users: Users, stored_user: StoredUser) -> None:
    """A person of a provider signs in as a user who was there before."""
    result = users("link", "ada", "acme", "248289761001")
    assert (result.exit_code, result.stdout) == (0, "linked ada\n")
    account = stored_user("ada")
    assert account is not None
    assert account.sub == "sub-ada"
    assert account.upstream == (UpstreamSubject("https://sso.example.com", "248289761001"),)
    assert users("link", "ada", "acme", "248289761001").exit_code == 0
    users("add", "bob", "--password-stdin", given=PASSWORD)
    result = users("link", "bob", "acme", "248289761001")
    assert (result.exit_code, "has the account ada already" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("ada", "other", "1"), "the file has no provider"),
        (("nobody", "acme", "1"), "there is no user nobody"),
        (("ada", "acme", ""), "subject: expected"),
        (("ada", "acme", "a\nb"), "subject: expected"),
        (("ada", "acme", "x" * 256), "subject: expected"),
    ],
)
def test_link_that_cannot_be(users: Users, arguments: tuple[str, ...], problem: str) -> None:
    result = users("link", *arguments)
    assert (result.exit_code, problem in result.stderr) == (1, True)
    assert "hush" not in result.output


def test_a_user_who_only_signs_in_elsewhere(users: Users, stored_user: StoredUser) -> None:
    assert users("add", "eve", "--no-password").stdout == "added eve\n"
    assert users("link", "eve", "acme", "7").stdout == "linked eve\n"
    account = stored_user("eve")
    assert account is not None
    assert account.password_hash == ""
    assert len(account.upstream) == 1
    result = users("add", "mallory", "--no-password", "--password-stdin", given=PASSWORD)
    assert (result.exit_code, "exclude each other" in result.stderr) == (1, True)
