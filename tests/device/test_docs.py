"""The statements of docs/devices.md hold."""

import asyncio
import re
import sys

from click.testing import CliRunner

from deviceflow.cli.login import login
from tests.stage.checkout import DOCS
from tests.stage.scripted import TOKENS, Say, ScriptedServer

PAGE = (DOCS / "devices.md").read_text(encoding="utf-8")


async def test_the_python_example_runs(server: ScriptedServer) -> None:
    server.metadata = {"device_poll_max_wait": 30}
    server.polls = [Say(TOKENS)]
    example = PAGE.split("```python\n")[1].split("```")[0]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", example.replace("http://127.0.0.1:8628", server.issuer)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert out.decode().splitlines() == [
        "Open https://example.com/device and enter WDJB-MJHT",
        "Connected, for 3600 s.",
    ]


def test_every_option_of_login_is_named() -> None:
    offered = set(re.findall(r"--[a-z-]+", CliRunner().invoke(login, ["--help"]).stdout))
    assert offered - {"--help"} == set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
