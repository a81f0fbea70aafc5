"""Tokens in the system's keyring: with a keyring in memory, and with one that is not there."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from deviceflow.device import DeviceClient, DeviceLogin, LoginRequired, TokenFileError, Tokens
from tests.stage.scripted import FakeTime, Say, ScriptedServer

FIRST = Tokens(access_token="a1", token_type="Bearer", expires_in=3600, refresh_token="r1")


class MemoryKeyring(ModuleType):
    """The functions of the package keyring that are used."""

    class KeyringError(Exception):
        """As in keyring.errors."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.entries: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, name: str) -> str | None:
        if self.is_locked:
            raise self.KeyringError("Locked\x1b[31m by the person")
        return self.entries.get((service, name))

    def set_password(self, service: str, name: str, password: str) -> None:
        self.get_password(service, name)
        self.entries[service, name] = password

    def delete_password(self, service: str, name: str) -> None:
        del self.entries[service, name]


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    memory = MemoryKeyring()
    monkeypatch.setitem(sys.modules, "keyring", memory)
    monkeypatch.setitem(sys.modules, "keyring.errors", memory)
    return memory


@pytest.fixture
def login(client: DeviceClient, tmp_path: Path, time: FakeTime) -> DeviceLogin:
    return DeviceLogin(client, folder=tmp_path, in_keyring=True, wall_clock=time.clock)


async def test_the_file_has_no_token(keyring: MemoryKeyring, login: DeviceLogin) -> None:
    await login.keep(FIRST)
    assert await login.access_token() == "a1"
    ((service, name),) = keyring.entries
    assert (service, name) == ("deviceflow", login.file.path.stem)
    text = login.file.path.read_text(encoding="utf-8")
    assert "a1" not in text
    assert "r1" not in text


async def test_refreshed_tokens_stay_there(
    keyring: MemoryKeyring, login: DeviceLogin, server: ScriptedServer, time: FakeTime
) -> None:
    """Also by a process that does not know of the keyring."""
    await login.keep(FIRST)
    time.now += 3600
    server.polls = [Say({"access_token": "a2", "token_type": "Bearer", "refresh_token": "r2"})]
    other = DeviceLogin(login._client, folder=login.file.path.parent, wall_clock=time.clock)
    assert await other.access_token() == "a2"
    assert "r2" in str(keyring.entries)
    assert "r2" not in login.file.path.read_text(encoding="utf-8")


async def test_a_keyring_that_is_locked_spends_no_refresh_token(
    keyring: MemoryKeyring, login: DeviceLogin, server: ScriptedServer, time: FakeTime
) -> None:
    await login.keep(FIRST)
    time.now += 3600
    keyring.is_locked = True
    with pytest.raises(TokenFileError, match=r"cannot be used: Locked \[31m by the person"):
        await login.access_token()
    assert server.polled == []


async def test_a_new_login_in_the_file_leaves_nothing_in_the_keyring(
    keyring: MemoryKeyring, login: DeviceLogin
) -> None:
    await login.keep(FIRST)
    await DeviceLogin(login._client, folder=login.file.path.parent).keep(FIRST)
    assert keyring.entries == {}


async def test_logout_removes_both(keyring: MemoryKeyring, login: DeviceLogin) -> None:
    await login.keep(FIRST)
    await login.logout()
    assert keyring.entries == {}
    assert not login.file.path.exists()


async def test_an_entry_that_the_person_removed(keyring: MemoryKeyring, login: DeviceLogin) -> None:
    await login.keep(FIRST)
    keyring.entries.clear()
    with pytest.raises(LoginRequired):
        await login.access_token()
    login.file.remove()


async def test_without_the_package(
    login: DeviceLogin, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a person signs in."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(TokenFileError, match=r"pip install 'deviceflow\[keyring\]'"):
        await login.sign_in(lambda _: None)
    assert server.heard == []


async def test_the_package_without_a_keyring(login: DeviceLogin) -> None:
    """As on a server: the package is there, a keyring is not."""
    keyring = pytest.importorskip("keyring", reason="the package keyring is not installed")
    none = pytest.importorskip("keyring.backends.fail").Keyring()
    before = keyring.get_keyring()
    keyring.set_keyring(none)
    try:
        with pytest.raises(TokenFileError, match="cannot be used: No recommended backend"):
            await login.keep(FIRST)
    finally:
        keyring.set_keyring(before)
