"""The statements of docs/devices.md hold."""

import asyncio
import os
import re
import sys
from pathlib import Path

from click.testing import CliRunner

from deviceflow.cli.login import login
from tests.stage.checkout import DOCS
from tests.stage.scripted import TOKENS, Say, ScriptedServer

PAGE = (DOCS / "devices.md").read_text(encoding="utf-8")


EXAMPLES = [each.split("```")[0] for each in PAGE.split("```python\n")[1:]]
OPEN = "Open https://example.com/device and enter WDJB-MJHT"


async def run_example(number: int, server: ScriptedServer, state: Path) -> list[str]:
    """Run an example, and return the lines that it prints. Tokens are kept below `state`."""
    server.metadata["device_poll_max_wait"] = 30
    server.polls = [Say(TOKENS)]
    example = EXAMPLES[number].replace("http://127.0.0.1:8628", server.issuer)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", example),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().splitlines()


async def test_the_python_example_runs(server: ScriptedServer, tmp_path: Path) -> None:
    assert await run_example(0, server, tmp_path) == [OPEN, "Connected, for 3600 s."]


async def test_the_example_that_keeps_the_tokens_runs(
    server: ScriptedServer, tmp_path: Path
) -> None:
    header = f"Authorization: Bearer {TOKENS['access_token']}"
    assert await run_example(1, server, tmp_path) == [OPEN, header]
    assert await run_example(1, server, tmp_path) == [header]


def test_every_option_of_login_is_named() -> None:
    offered = set(re.findall(r"--[a-z-]+", CliRunner().invoke(login, ["--help"]).stdout))
    assert offered - {"--help"} == set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
