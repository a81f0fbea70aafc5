"""Decisions by a command and by a person at the terminal."""

import asyncio
import io
import sys
from pathlib import Path

import pytest

from deviceflow.conformance.decisions import AskPerson, NoDecisions, RunCommand, ToDecide, Undecided
from deviceflow.tasks import end
from tests.stage.waiting import until

GRANT = ToDecide(
    user_code="WDJB-MJHT",
    verification_uri="https://tv.example/device",
    verification_uri_complete="https://tv.example/device?user_code=WDJB-MJHT",
    choice="deny",
)


async def test_a_command_gets_the_request() -> None:
    words = "{user_code} {verification_uri} {verification_uri_complete} {choice}"
    check = f"import sys; sys.exit(' '.join(sys.argv[1:]) != '{words}')"
    filled = check.format(
        user_code=GRANT.user_code,
        verification_uri=GRANT.verification_uri,
        verification_uri_complete=GRANT.address,
        choice="deny",
    )
    command = f'{sys.executable} -c "{filled.replace("{", "{{")}" {words}'
    await RunCommand(command).decide(GRANT)


async def test_no_shell_reads_a_code() -> None:
    """A server that lies can put anything into its user code."""
    hostile = ToDecide(
        user_code="$(exit 3); exit 3",
        verification_uri="https://tv.example/device",
        verification_uri_complete=None,
        choice="approve",
    )
    check = "import sys; sys.exit(sys.argv[1] != '$(exit 3); exit 3')"
    await RunCommand(f'{sys.executable} -c "{check}" {{user_code}}').decide(hostile)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("false", "status 1"),
        (f"{sys.executable} -c \"print('no such page'); raise SystemExit(4)\"", "no such page"),
    ],
)
async def test_a_command_that_fails(command: str, reason: str) -> None:
    with pytest.raises(Undecided, match=reason):
        await RunCommand(command).decide(GRANT)


@pytest.mark.parametrize("command", ["/nowhere/command {user_code}", "no-such-program", ""])
def test_a_program_that_is_not_there_is_said_before_a_run(command: str) -> None:
    with pytest.raises(ValueError, match="there is no program"):
        RunCommand(command)


async def test_a_command_does_not_outlive_the_run(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    program = tmp_path / "slow.py"
    program.write_text(
        f"import os, time\nopen('{note}', 'w').write(f'{{os.getpid()}}.')\ntime.sleep(60)\n"
    )
    command = f"{sys.executable} {program}"
    deciding = asyncio.create_task(RunCommand(command).decide(GRANT))
    await until(lambda: note.exists() and note.read_text().endswith("."))
    await end(deciding)
    pid = int(note.read_text().removesuffix("."))
    await until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_person_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    await AskPerson().decide(GRANT)
    told = capsys.readouterr().err
    assert "https://tv.example/device?user_code=WDJB-MJHT" in told
    assert "DENY" in told
    with pytest.raises(Undecided, match="closed"):
        await AskPerson().decide(GRANT)


async def test_nobody_is_there() -> None:
    with pytest.raises(Undecided, match="--approve"):
        await NoDecisions().decide(GRANT)
