"""The statements of docs/devices.md hold, and its programs and those of device-examples.md run."""

import asyncio
import os
import re
import sys
from pathlib import Path

from click.testing import CliRunner

from deviceflow.cli.login import login as command
from deviceflow.device import DeviceClient, DeviceLogin, Tokens
from tests.stage.checkout import DOCS
from tests.stage.scripted import TOKENS, Say, ScriptedServer

PAGE = (DOCS / "devices.md").read_text(encoding="utf-8")


DEVICES = (DOCS / "device-examples.md").read_text(encoding="utf-8")
OPEN = "Open https://example.com/device and enter WDJB-MJHT"


def example(page: str, heading: str) -> str:
    """The program of a section."""
    section = page.split(f"\n{heading}\n")[1]
    return section.split("```python\n")[1].split("```")[0]


async def run_example(program: str, server: ScriptedServer, state: Path, *words: str) -> list[str]:
    """Run a program, and return the lines that it prints. Tokens are kept below `state`."""
    server.metadata["device_poll_max_wait"] = 30
    server.polls = [Say(TOKENS)]
    assert "http://127.0.0.1:8628" in program
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program.replace("http://127.0.0.1:8628", server.issuer), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
    )
    out, err = await process.communicate()
    return [*out.decode().splitlines(), *err.decode().splitlines()]


async def test_the_python_example_runs(server: ScriptedServer, tmp_path: Path) -> None:
    program = example(PAGE, "## With the Python library")
    assert await run_example(program, server, tmp_path) == [OPEN, "Connected, for 3600 s."]


async def test_the_example_that_keeps_the_tokens_runs(
    server: ScriptedServer, tmp_path: Path
) -> None:
    header = f"Authorization: Bearer {TOKENS['access_token']}"
    program = example(PAGE, "### Tokens that last")
    assert await run_example(program, server, tmp_path) == [OPEN, header]
    assert await run_example(program, server, tmp_path) == [header]


async def test_the_television_runs(server: ScriptedServer, tmp_path: Path) -> None:
    program = example(DEVICES, "## A television")
    shown = await run_example(program, server, tmp_path)
    assert any("WDJB-MJHT" in line for line in shown)
    assert shown[-1] == "This TV is connected."
    assert await run_example(program, server, tmp_path) == ["This TV is connected."]


async def test_the_printer_runs(server: ScriptedServer, tmp_path: Path) -> None:
    program = example(DEVICES, "## A printer")
    assert await run_example(program, server, tmp_path) == [
        "To connect this printer, open",
        "    https://example.com/device",
        "and enter WDJB-MJHT. The code is good for 10 minutes.",
        "A job was printed.",
        "A job was printed.",
    ]


async def test_the_command_line_tool_runs(
    client: DeviceClient, server: ScriptedServer, tmp_path: Path
) -> None:
    """Here it has no terminal, so it uses a login that is there."""
    program = example(DEVICES, "## A command-line tool")
    (error,) = await run_example(program, server, tmp_path)
    assert error.endswith("Sign in first.")
    folder = tmp_path / "deviceflow" / "logins"
    login = DeviceLogin(client, "openid offline_access", folder=folder)
    await login.keep(Tokens(access_token="a1", token_type="Bearer"))
    assert await run_example(program, server, tmp_path) == ["Authorization: Bearer a1"]
    assert await run_example(program, server, tmp_path, "logout") == ["Signed out."]
    assert login.file.read() is None


def test_every_option_of_login_is_named() -> None:
    offered = set(re.findall(r"--[a-z-]+", CliRunner().invoke(command, ["--help"]).stdout))
    assert offered - {"--help"} == set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
