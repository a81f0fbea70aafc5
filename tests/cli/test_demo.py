"""`deviceflow demo`: the addresses that it listens on, and what it prints."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.config import Settings
from deviceflow.worker import RESERVED_DESCRIPTORS


class Started:
    """A fake supervisor, which keeps the settings and starts no process."""

    settings: Settings

    def __init__(self, settings: Settings, _: object) -> None:
        Started.settings = settings

    def run(self, ready: Callable[[Settings], None]) -> None:
        ready(self.settings)


def demo(monkeypatch: pytest.MonkeyPatch, *options: str, **variables: str) -> Result:
    monkeypatch.setattr("deviceflow.cli.demo.Supervisor", Started)
    monkeypatch.setattr("deviceflow.cli.demo.logging.configure", lambda *_: None)
    return CliRunner(env=variables).invoke(main, ["demo", *options])


@pytest.mark.parametrize(
    ("options", "variables", "ports"),
    [
        ((), {}, (8628, 0)),
        (("--port", "1", "--admin-port", "2"), {}, (1, 2)),
        ((), {"DEVICEFLOW_SERVER_PORT": "3", "DEVICEFLOW_SERVER_ADMIN_PORT": "4"}, (3, 4)),
        (("--port", "1"), {"DEVICEFLOW_SERVER_PORT": "3"}, (1, 0)),
    ],
)
def test_its_ports(
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    variables: dict[str, str],
    ports: tuple[int, int],
) -> None:
    """The admin port is free by default, because another server may use the usual one."""
    assert demo(monkeypatch, *options, **variables).exit_code == 0
    server = Started.settings.server
    assert (server.port, server.admin_port) == ports


@pytest.mark.parametrize(
    ("called", "path", "program"),
    [
        (".venv/bin/deviceflow", "/usr/bin", ".venv/bin/deviceflow"),
        ("{folder}/deviceflow", "{folder}", "deviceflow"),
        ("{folder}/deviceflow", "/usr/bin", "{folder}/deviceflow"),
        ("{folder}/__main__.py", "{folder}", "{python} -m deviceflow"),
    ],
)
def test_the_command_of_the_second_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, called: str, path: str, program: str
) -> None:
    """A command that is there, whether the demo was run from a checkout, by pipx or as a module."""
    (tmp_path / "deviceflow").touch(mode=0o755)
    names = {"folder": str(tmp_path), "python": sys.executable}
    monkeypatch.setattr(sys, "argv", [called.format(**names)])
    printed = demo(monkeypatch, PATH=path.format(**names)).output
    line = f"       {program.format(**names)} login http://127.0.0.1:8628 --client-id demo-tv"
    assert line in printed.splitlines()


def test_it_needs_few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A usual machine allows 1,024, and a person who tries it sees no warning."""
    demo(monkeypatch)
    assert Started.settings.device.max_held + RESERVED_DESCRIPTORS <= 1024
