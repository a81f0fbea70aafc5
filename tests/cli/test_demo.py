"""`deviceflow demo`: the addresses that it listens on."""

import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.config import Settings


class Started:
    """A fake supervisor, which keeps the settings and starts no process."""

    settings: Settings

    def __init__(self, settings: Settings, _: object) -> None:
        Started.settings = settings

    def run(self, ready: object) -> None:
        assert callable(ready)


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
