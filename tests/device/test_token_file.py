"""The file with the tokens: who can read it, what a crash leaves, and who waits for whom."""

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from deviceflow.device import TokenFileError, Tokens
from deviceflow.device.token_file import KeptTokens, TokenFile, default_folder, kept_in

KEPT = KeptTokens(
    issuer="https://a",
    client_id="tv-app",
    scope="openid",
    obtained_at=1000.0,
    tokens=Tokens(access_token="s3cret", token_type="Bearer"),
)


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile.of("https://a", "tv-app", "openid", tmp_path / "state" / "logins")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_user_can_read_it(file: TokenFile) -> None:
    before = os.umask(0)
    try:
        file.write(KEPT)
    finally:
        os.umask(before)
    assert (mode(file.path), mode(file.path.parent)) == (0o600, 0o700)
    assert file.read() == KEPT
    assert "s3cret" not in repr(file.read())


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_reach_is_refused(file: TokenFile, bits: int) -> None:
    file.write(KEPT)
    file.path.chmod(bits)
    with pytest.raises(TokenFileError, match=rf"mode {bits:04o}.*run: chmod 600"):
        file.read()


def test_a_folder_in_which_others_can_write_is_refused(file: TokenFile) -> None:
    file.prepare()
    file.path.parent.chmod(0o770)
    with pytest.raises(TokenFileError, match="chmod 700"):
        file.write(KEPT)


def test_a_file_of_another_user_is_refused(
    file: TokenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write(KEPT)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(TokenFileError, match="belongs to another user"):
        file.read()


def test_a_link_is_refused(file: TokenFile, tmp_path: Path) -> None:
    file.prepare()
    file.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TokenFileError, match="symbolic link"):
        file.read()


def test_there_may_be_none(file: TokenFile) -> None:
    assert file.read() is None
    file.remove()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"issuer": 1}'])
def test_another_content_is_refused(file: TokenFile, content: bytes) -> None:
    file.write(KEPT)
    file.path.write_bytes(content)
    with pytest.raises(TokenFileError, match="is not a file of kept tokens"):
        file.read()


def test_a_write_that_was_cut_short_leaves_the_old_tokens(file: TokenFile) -> None:
    """A process was killed between its write and its rename; the next one goes on."""
    file.write(KEPT)
    file.path.with_suffix(".new").write_bytes(b'{"issu')
    assert file.read() == KEPT
    file.write(KEPT)
    assert [each.name for each in file.path.parent.iterdir()] == [file.path.name]


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(TokenFileError, match=r"cannot be kept in .*: a file is in the way"):
        TokenFile(tmp_path / "taken" / "logins" / "a.json").write(KEPT)


def test_logins_are_kept_apart(tmp_path: Path) -> None:
    logins = [
        ("https://a", "tv-app", "openid"),
        ("https://b", "tv-app", "openid"),
        ("https://a", "tv/app", "openid"),
        ("https://a", "tv-app", ""),
        ("https://a", "../../etc/passwd", "openid"),
    ]
    files = [TokenFile.of(*login, tmp_path) for login in logins]
    assert len({file.path for file in files}) == len(logins)
    assert {file.path.parent for file in files} == {tmp_path}
    one = TokenFile.of("https://a", "tv-app", "files print", tmp_path)
    assert one.path == TokenFile.of("https://a", "tv-app", "print  files", tmp_path).path


def test_all_logins_of_a_client(tmp_path: Path) -> None:
    for scope in ("", "openid"):
        TokenFile.of("https://a", "tv-app", scope, tmp_path / "logins").write(KEPT)
    assert [kept for _, kept in kept_in(tmp_path / "logins", "https://a", "tv-app")] == [KEPT] * 2
    assert list(kept_in(tmp_path / "logins", "https://a", "radio")) == []
    assert list(kept_in(tmp_path / "nowhere", "https://a", "tv-app")) == []


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / ".local" / "state" / "deviceflow" / "logins"
    assert default_folder({}) == default_folder({"XDG_STATE_HOME": "relative"}) == home
    assert default_folder({"XDG_STATE_HOME": "/state"}) == Path("/state/deviceflow/logins")


async def test_a_process_that_dies_gives_the_lock_back(file: TokenFile) -> None:
    script = (
        "import asyncio, sys, pathlib\n"
        "from deviceflow.device.token_file import TokenFile\n"
        "async def main():\n"
        "    async with TokenFile(pathlib.Path(sys.argv[1])).locked():\n"
        "        print('locked', flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, str(file.path)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"locked\n"
    entered = asyncio.Event()

    async def enter() -> None:
        async with file.locked():
            entered.set()

    waiting = asyncio.create_task(enter())
    await asyncio.sleep(0)
    assert not entered.is_set()
    process.kill()
    await process.wait()
    await waiting
    assert entered.is_set()
