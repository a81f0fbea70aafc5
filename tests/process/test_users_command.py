"""`deviceflow users` beside a server that runs, and without one."""

import json

import pytest

from tests.stage.process import Command, NewBrowser, NewDevice
from tests.stage.program import Program
from tests.stage.wire import fetch, request_of

NEW_PASSWORD = "another long password"
FIRST_PASSWORD = "a password of carol"


@pytest.fixture
def users(command: Command, program: Program) -> Command:
    """Runs `deviceflow users` on the data directory of `program`."""
    program.notes.add(NEW_PASSWORD, FIRST_PASSWORD)

    def run(*arguments: str, given: str = "") -> object:
        places = ("--config", str(program.config), "--data-dir", str(program.data_dir))
        ended = command("users", *places, *arguments, given=given)
        assert "Traceback" not in ended.stderr
        assert not program.notes.found_in(ended.stdout + ended.stderr)
        return ended

    return run  # type: ignore[return-value]


def test_while_the_server_runs(users: Command, device: NewDevice, browser: NewBrowser) -> None:
    """Each change counts at once: for sign-ins, open sessions, approved grants and refreshes."""
    added = users("add", "carol", "--name", "Carol", "--password-stdin", given=FIRST_PASSWORD)
    assert (added.returncode, added.stdout) == (0, "added carol\n")
    person = browser()
    assert person.sign_in("carol", FIRST_PASSWORD).url.endswith("/device")
    tv, later = device().authorize(), device().authorize()
    person.decide(tv.user_code, "approve")
    person.decide(later.user_code, "approve")
    assert tv.wait() == "tokens"

    assert users("disable", "carol").stdout == "disabled carol\n"
    assert browser().sign_in("carol", FIRST_PASSWORD).status == 403
    assert person.open("/device").url.endswith("/login"), "an open session ends, too"
    assert later.wait() == "access_denied"
    assert tv.refresh().body["error"] == "invalid_grant"

    assert users("enable", "carol").stdout == "enabled carol\n"
    assert later.wait() == "access_denied", "nothing comes back"
    assert tv.refresh().body["error"] == "invalid_grant"
    assert person.open("/device").url.endswith("/login")
    assert users("passwd", "carol", "--password-stdin", given=NEW_PASSWORD).returncode == 0
    assert browser().sign_in("carol", FIRST_PASSWORD).status == 403
    assert browser().sign_in("carol", NEW_PASSWORD).url.endswith("/device")


def test_a_user_is_removed(
    users: Command, program: Program, device: NewDevice, browser: NewBrowser
) -> None:
    """Everything of that account ends, also if the name is given to somebody else."""
    assert users("add", "carol", "--password-stdin", given=FIRST_PASSWORD).returncode == 0
    person = browser()
    person.sign_in("carol", FIRST_PASSWORD)
    tv, later = device().authorize(), device().authorize()
    person.decide(tv.user_code, "approve")
    person.decide(later.user_code, "approve")
    assert tv.wait() == "tokens"

    assert users("remove", "carol").stdout == "removed carol\n"
    assert users("add", "carol", "--password-stdin", given=NEW_PASSWORD).returncode == 0
    assert browser().sign_in("carol", FIRST_PASSWORD).status == 403
    assert person.open("/device").url.endswith("/login"), "an open session ends, too"
    assert later.wait() == "access_denied"
    assert tv.refresh().body["error"] == "invalid_grant"
    bearer = request_of(f"{program.url}/oauth2/gateway")
    bearer.add_header("Authorization", f"Bearer {tv.tokens['access_token']}")
    assert fetch(bearer).status == 401


def test_while_the_server_does_not_run(
    users: Command, program: Program, browser: NewBrowser
) -> None:
    """The command starts the store itself, ends it again, and the server finds the user."""
    assert program.stop() == 0
    assert users("add", "carol", "--password-stdin", given=FIRST_PASSWORD).returncode == 0
    assert users("disable", "ada").returncode == 0
    listed = users("list")
    rows = {line.split()[0]: line.split()[1:3] for line in listed.stdout.splitlines()}
    assert rows["carol"] == ["enabled", "store"]
    assert rows["ada"] == ["disabled", "store"]
    assert rows["bob"] == ["enabled", "file"]
    program.start()
    assert browser().sign_in("carol", FIRST_PASSWORD).url.endswith("/device")
    assert browser().sign_in("ada").status == 403
    listed = json.loads(users("list", "--json").stdout)
    assert {account["username"] for account in listed} == {"ada", "bob", "carol", "sloth"}
    assert not any("password_hash" in account for account in listed)
