"""`deviceflow users devices`, `revoke` and `sign-out`, and what the other commands end."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.core.account_marks import AccountMarks
from deviceflow.store.account_marks import marks_in, reading
from deviceflow.store.families import RefreshToken
from deviceflow.store.installation import Installation
from deviceflow.store.sessions import Session
from tests.stage.clock import Clock
from tests.stage.store import ADA, Store
from tests.stage.valkey import Valkey, open_connection

T = TypeVar("T")
Run = Callable[..., Result]
FILE = """
[[users]]
username = "ada"
sub = "sub-ada"
password_hash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"

[[clients]]
client_id = "tv-app"
name = "Living-room TV"
scopes = ["openid"]
"""


class Site:
    """A store that the commands share with the test."""

    def __init__(self, url: str) -> None:
        self.url = url

    def do(self, work: Callable[[Store], Awaitable[T]]) -> T:
        async def run() -> T:
            connection = open_connection(self.url)
            clock = Clock(float(int(time.time())))
            store = Store(connection, await Installation.open(connection), clock)
            try:
                return await work(store)
            finally:
                await connection.close()

        return asyncio.run(run())

    def connect(self) -> RefreshToken:
        """Connect a device of Ada."""
        return self.do(lambda store: store.family())[0]

    def sign_in(self) -> str:
        session = Session("ada", ADA.sub, int(time.time()))
        return self.do(lambda store: store.sessions.start(session))

    def is_connected(self, token: RefreshToken) -> bool:
        return self.do(lambda store: store.families.find(token)) is not None

    def marks(self) -> AccountMarks:
        answer = self.do(lambda store: store.connection.batch(reading(["ada"])))
        return marks_in(answer[0])[0]

    def is_signed_in(self, session_id: str) -> bool:
        return self.do(lambda store: store.sessions.get(session_id)) is not None


@pytest.fixture
def site(valkey: Valkey) -> Site:
    with valkey.client() as client:
        client.flushall()
    return Site(valkey.url)


@pytest.fixture
def run(site: Site, tmp_path: Path) -> Run:
    """Return a function that runs `deviceflow GROUP ...`."""
    config = tmp_path / "deviceflow.toml"
    config.write_text(FILE, encoding="utf-8")

    def command(group: str, *arguments: str, given: str = "") -> Result:
        places = [group, "--config", str(config), "--redis-url", site.url]
        return CliRunner().invoke(main, [*places, *arguments], input=given)

    return command


def test_devices_are_listed(site: Site, run: Run) -> None:
    assert "ada has no devices" in run("users", "devices", "ada").stderr
    site.connect()
    result = run("users", "devices", "ada")
    assert result.exit_code == 0
    assert "tv-app           NebulaTV 4.2                 used " in result.stdout
    (device,) = json.loads(run("users", "devices", "ada", "--json").stdout)
    assert device["grant_id"] in result.stdout
    assert (device["client_id"], device["address"]) == ("tv-app", "203.0.113.7")
    assert device["is_waiting"] is False
    assert "grant" not in device


def test_one_device_is_revoked(site: Site, run: Run) -> None:
    first, second = site.connect(), site.connect()
    devices = json.loads(run("users", "devices", "ada", "--json").stdout)
    ids = {device["grant_id"] for device in devices}
    chosen = devices[0]["grant_id"]
    result = run("users", "revoke", "ada", "--device", chosen)
    assert (result.exit_code, result.stdout) == (0, f"disconnected {chosen}\n")
    assert [site.is_connected(token) for token in (first, second)].count(True) == 1
    left = json.loads(run("users", "devices", "ada", "--json").stdout)
    assert {device["grant_id"] for device in left} == ids - {chosen}
    again = run("users", "revoke", "ada", "--device", chosen)
    assert again.exit_code == 1
    assert "`users devices` lists them" in again.stderr


def test_all_devices_are_revoked(site: Site, run: Run) -> None:
    tokens = [site.connect() for _ in range(2)]
    result = run("users", "revoke", "ada", "--all")
    assert (result.exit_code, result.stdout) == (0, "disconnected 2 of ada\n")
    assert not any(site.is_connected(token) for token in tokens)


@pytest.mark.parametrize("arguments", [[], ["--all", "--device", "x"]])
def test_what_to_revoke_has_to_be_said(site: Site, run: Run, arguments: list[str]) -> None:
    token = site.connect()
    result = run("users", "revoke", "ada", *arguments)
    assert result.exit_code == 1
    assert "name one device (--device ID), or all of them (--all)" in result.stderr
    assert site.is_connected(token)


@pytest.mark.parametrize("command", [["devices"], ["revoke", "--all"], ["sign-out"]])
def test_an_unknown_user(run: Run, command: list[str]) -> None:
    name, *rest = command
    result = run("users", name, "nobody", *rest)
    assert result.exit_code == 1
    assert "there is no user nobody" in result.stderr


def test_sign_out_leaves_devices(site: Site, run: Run) -> None:
    token, session_id = site.connect(), site.sign_in()
    result = run("users", "sign-out", "ada")
    assert (result.exit_code, result.stdout) == (0, "ada: signed out 1 browser\n")
    assert not site.is_signed_in(session_id)
    assert site.is_connected(token)


@pytest.mark.parametrize("keep", [True, False])
def test_a_new_password_ends_what_the_old_one_gave(site: Site, run: Run, *, keep: bool) -> None:
    token, session_id = site.connect(), site.sign_in()
    options = ["--keep-devices"] if keep else []
    result = run("users", "passwd", "ada", "--password-stdin", *options, given="correct horse\n")
    assert result.exit_code == 0
    assert "signed out 1 browser" in result.stderr
    assert ("disconnected 1 device;" in result.stderr) is not keep
    assert not site.is_signed_in(session_id)
    assert site.is_connected(token) is keep
    marks = site.marks()
    assert (marks.sessions > 0, marks.devices > 0) == (True, not keep)


def test_a_disabled_user_gets_nothing_back(site: Site, run: Run) -> None:
    token, session_id = site.connect(), site.sign_in()
    result = run("users", "disable", "ada")
    assert "disconnected 1 device; signed out 1 browser" in result.stderr
    assert run("users", "enable", "ada").exit_code == 0
    assert not site.is_signed_in(session_id)
    assert not site.is_connected(token)
    assert site.marks().devices > 0


def test_lost_factors_end_the_sessions(site: Site, run: Run) -> None:
    token, session_id = site.connect(), site.sign_in()
    assert "signed out 1 browser" in run("users", "reset-factors", "ada").stderr
    assert not site.is_signed_in(session_id)
    assert site.is_connected(token)


def test_a_removed_user_has_nothing_left(site: Site, run: Run) -> None:
    assert run("users", "enable", "ada").exit_code == 0  # now the store has the user, too
    token, session_id = site.connect(), site.sign_in()
    result = run("users", "remove", "ada")
    assert result.exit_code == 0
    assert "disconnected 1 device; signed out 1 browser" in result.stderr
    assert not site.is_connected(token)
    assert not site.is_signed_in(session_id)
    marks = site.marks()
    assert (marks.sessions > 0, marks.devices > 0) == (True, True), "the file's user is in force"


def test_a_client_is_revoked(site: Site, run: Run) -> None:
    site.connect()
    result = run("clients", "revoke", "tv-app")
    assert (result.exit_code, result.stdout) == (0, "disconnected all devices of tv-app\n")
    assert json.loads(run("users", "devices", "ada", "--json").stdout) == []
    unknown = run("clients", "revoke", "nothing")
    assert unknown.exit_code == 1
    assert "there is no client nothing" in unknown.stderr
