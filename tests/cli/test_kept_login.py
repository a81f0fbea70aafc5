"""`deviceflow login --keep`, `login --token` and `logout`, with a scripted server."""

import asyncio
import json
import os
import pty
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from tests.stage.program import environment
from tests.stage.scripted import TOKENS, FakeTime, Say, ScriptedServer, error, serve

NEXT = {**TOKENS, "access_token": "a2", "refresh_token": "r2"}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with serve(FakeTime()) as scripted:
        scripted.hold_and_revoke()
        yield scripted


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "deviceflow" / "logins"


def files(state: Path) -> list[Path]:
    """The files with tokens."""
    return list(state.glob("*.json"))


def end_tokens(state: Path) -> None:
    """Make the kept tokens older than their lifetime."""
    for file in files(state):
        kept = json.loads(file.read_text())
        file.write_text(json.dumps(kept | {"obtained_at": kept["obtained_at"] - 3600}))


def no_folder(path: Path) -> None:
    path.write_text("", encoding="utf-8")


async def run(server: ScriptedServer, command: str, *arguments: str) -> Result:
    return await asyncio.to_thread(
        CliRunner().invoke, main, [command, server.issuer, *arguments]
    )  # fmt: skip


async def signed_in(server: ScriptedServer, *arguments: str, **members: object) -> Result:
    server.polls = [Say({**TOKENS, "refresh_token": "r1", **members})]
    return await run(server, "login", "--keep", *arguments)


async def test_keep_says_where(server: ScriptedServer, state: Path) -> None:
    result = await signed_in(server)
    (file,) = files(state)
    assert f"the tokens are kept in {file}\n" in result.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(TOKENS["access_token"]) in result.stdout


async def test_without_keep_nothing_is_kept(server: ScriptedServer, state: Path) -> None:
    server.polls = [Say(TOKENS)]
    result = await run(server, "login")
    assert "The tokens are not kept. --keep keeps them." in result.stderr
    assert files(state) == []


async def test_token_prints_the_kept_token_alone(server: ScriptedServer) -> None:
    await signed_in(server)
    result = await run(server, "login", "--token")
    assert (result.exit_code, result.output) == (0, f"{TOKENS['access_token']}\n")
    assert len(server.polled) == 1


async def test_token_refreshes(server: ScriptedServer, state: Path) -> None:
    await signed_in(server)
    end_tokens(state)
    server.polls = [Say(NEXT)]
    for _ in range(2):
        result = await run(server, "login", "--token")
        assert (result.exit_code, result.output) == (0, "a2\n")
    assert [poll.form.get("refresh_token") for poll in server.polled] == [None, "r1"]


async def test_token_needs_a_person_who_can_see_the_code(server: ScriptedServer) -> None:
    result = await run(server, "login", "--token")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr == (
        f"deviceflow login: There is no login of tv-app at {server.issuer} with this scope. "
        "Sign in first. Run this command in a terminal, which can show the code.\n"
    )
    assert server.requests("/device_authorization") == []


async def test_token_after_the_login_has_ended(server: ScriptedServer, state: Path) -> None:
    await signed_in(server)
    end_tokens(state)
    server.polls = [error("invalid_grant", error_description="Revoked.")]
    result = await run(server, "login", "--token")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "The login has ended (invalid_grant: Revoked.). Sign in again." in result.stderr


async def test_token_signs_in_on_a_terminal(server: ScriptedServer, state: Path) -> None:
    server.polls = [Say(NEXT)]
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deviceflow", "login", server.issuer, "--token"),
        stdout=asyncio.subprocess.PIPE,
        stderr=theirs,
        env=environment() | {"XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]},
    )
    os.close(theirs)
    shown = asyncio.create_task(asyncio.to_thread(_drain, ours))
    out, _ = await process.communicate()
    assert (process.returncode, out) == (0, b"a2\n")
    assert b"WDJB-MJHT" in await shown
    assert len(files(state)) == 1


def _drain(terminal: int) -> bytes:
    """Read what a terminal shows until its last writer has gone."""
    shown = bytearray()
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:
        pass  # how Linux says that the other end is closed
    finally:
        os.close(terminal)
    return bytes(shown)


async def test_a_token_that_is_two_lines_is_not_printed(server: ScriptedServer) -> None:
    await signed_in(server, access_token="a\nb")
    result = await run(server, "login", "--token")
    assert (result.exit_code, result.stdout) == (1, "")


async def test_a_login_without_a_refresh_token_says_how_long_it_is(server: ScriptedServer) -> None:
    result = await signed_in(server, refresh_token=None)
    assert "access token (lifetime: 1 hour (3600 s)). For a longer one, add" in result.stderr


async def test_a_file_that_others_can_read_is_refused(server: ScriptedServer, state: Path) -> None:
    await signed_in(server)
    (file,) = files(state)
    file.chmod(0o644)
    for command in (("login", "--token"), ("logout",)):
        result = await run(server, *command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"(mode 0644). If they have not, run: chmod 600 '{file}'" in result.stderr


async def test_a_place_that_is_no_folder_shows_before_the_code(
    server: ScriptedServer, tmp_path: Path
) -> None:
    no_folder(tmp_path / "deviceflow")
    result = await run(server, "login", "--keep")
    assert (result.exit_code, server.requests("/device_authorization")) == (1, [])
    assert "a file is in the way" in result.stderr


async def test_logout_ends_all_logins_of_the_client(server: ScriptedServer, state: Path) -> None:
    await signed_in(server, refresh_token="r1")
    await signed_in(server, "--scope", "print", refresh_token="r2")
    await signed_in(server, "--client-id", "radio", refresh_token="r3")
    result = await run(server, "logout")
    revoked = {request.form["token"] for request in server.requests("/revoke")}
    assert (result.exit_code, result.stdout, revoked) == (0, "", {"r1", "r2"})
    assert [file.name.partition("-")[0] for file in files(state)] == ["radio"]
    assert "signed out: the tokens are revoked and removed." in result.stderr
    result = await run(server, "logout")
    assert (result.exit_code, "is kept here" in result.stderr) == (5, True)


async def test_logout_of_one_scope(server: ScriptedServer) -> None:
    await signed_in(server, refresh_token="r1")
    await signed_in(server, "--scope", "print files", refresh_token="r2")
    result = await run(server, "logout", "--scope", "files", "--scope", "print")
    assert result.exit_code == 0
    assert [request.form["token"] for request in server.requests("/revoke")] == ["r2"]
    result = await run(server, "logout", "--scope", "files")
    assert result.exit_code == 5


async def test_logout_that_failed_can_be_run_again(server: ScriptedServer, state: Path) -> None:
    await signed_in(server)
    server.revocation = Say("", status=503)
    result = await run(server, "logout")
    assert (result.exit_code, len(files(state))) == (1, 1)
    result = await run(server, "logout", "--local")
    assert (result.exit_code, files(state)) == (0, [])


async def test_logout_where_nothing_can_be_revoked(server: ScriptedServer, state: Path) -> None:
    server.metadata.pop("revocation_endpoint")
    await signed_in(server)
    result = await run(server, "logout")
    assert (result.exit_code, files(state)) == (0, [])
    assert "This server cannot revoke them; they end by themselves." in result.stderr


@pytest.mark.parametrize("arguments", [["--token", "--json"], ["--token", "--no-wait"]])
def test_wrong_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, ["login", *arguments]).exit_code == 2
