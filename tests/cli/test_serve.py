"""`deviceflow serve`: the sources of its settings, and its messages if it cannot start."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from deviceflow.__main__ import main
from deviceflow.config import Settings
from deviceflow.config.loading import cores
from deviceflow.supervisor.errors import StartError

Serve = Callable[..., Result]


class Started:
    """A fake supervisor, which keeps the settings and starts no process."""

    settings: Settings
    load: Callable[[], Settings]
    problem = ""

    def __init__(self, settings: Settings, load: Callable[[], Settings]) -> None:
        Started.settings = settings
        Started.load = staticmethod(load)

    def run(self) -> None:
        if Started.problem:
            raise StartError(Started.problem)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return a function that runs `deviceflow serve` with options and variables."""
    monkeypatch.setattr("deviceflow.cli.serve.Supervisor", Started)
    monkeypatch.setattr("deviceflow.cli.serve.logging.configure", lambda *_: None)
    monkeypatch.setattr(Started, "problem", "")

    def run(*options: str, **variables: str) -> Result:
        return CliRunner(env=variables).invoke(main, ["serve", *options])

    return run


def test_defaults(serve: Serve) -> None:
    assert serve().exit_code == 0
    server = Started.settings.server
    assert (server.host, server.port, server.workers) == ("127.0.0.1", 8628, 1)
    assert (server.admin_host, server.admin_port) == ("127.0.0.1", 8629)
    assert Started.settings.redis.url is None


def test_options(serve: Serve) -> None:
    options = [
        *("--host", "127.0.0.2", "--port", "1", "--workers", "3", "--admin-port", "2"),
        *("--redis-url", "redis://127.0.0.1:6379/0", "--data-dir", "elsewhere"),
    ]
    assert serve(*options).exit_code == 0
    server = Started.settings.server
    assert (server.host, server.port, server.workers) == ("127.0.0.2", 1, 3)
    assert (server.admin_port, server.data_dir) == (2, "elsewhere")
    assert Started.settings.redis.url == "redis://127.0.0.1:6379/0"


def test_the_order_of_sources(serve: Serve, tmp_path: Path) -> None:
    """The order is command line, environment, file, default."""
    file = tmp_path / "deviceflow.toml"
    file.write_text("[server]\nport = 1\nworkers = 2\nkeepalive_s = 3\n", encoding="utf-8")
    variables = {"DEVICEFLOW_SERVER_PORT": "10", "DEVICEFLOW_SERVER_WORKERS": "20"}
    assert serve("--config", str(file), "--port", "100", **variables).exit_code == 0
    server = Started.settings.server
    assert (server.port, server.workers, server.keepalive_s) == (100, 20, 3)
    assert server.shutdown_s == 15


def test_the_file_may_be_named_by_a_variable(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "deviceflow.toml"
    file.write_text("[server]\nport = 1\n", encoding="utf-8")
    assert serve(DEVICEFLOW_CONFIG=str(file)).exit_code == 0
    assert Started.settings.server.port == 1


def test_the_settings_can_be_read_again(serve: Serve, tmp_path: Path) -> None:
    """The file has changed; the command line is as it was."""
    file = tmp_path / "deviceflow.toml"
    file.write_text("[server]\nport = 1\nkeepalive_s = 3\n", encoding="utf-8")
    assert serve("--config", str(file), "--port", "100").exit_code == 0
    file.write_text("[server]\nport = 1\nkeepalive_s = 4\n", encoding="utf-8")
    server = Started.load().server
    assert (server.port, server.keepalive_s) == (100, 4)


@pytest.mark.parametrize("source", ["option", "variable", "file"])
def test_a_worker_for_each_core(serve: Serve, tmp_path: Path, source: str) -> None:
    file = tmp_path / "deviceflow.toml"
    file.write_text("[server]\nworkers = 'auto'\n" if source == "file" else "", encoding="utf-8")
    options = ("--workers", "auto") if source == "option" else ()
    variables = {"DEVICEFLOW_SERVER_WORKERS": "auto"} if source == "variable" else {}
    assert serve("--config", str(file), *options, **variables).exit_code == 0
    assert Started.settings.server.workers == cores()


@pytest.mark.parametrize(
    ("options", "variables", "hint"),
    [
        (["--port", "65536"], {}, "server.port"),
        (["--workers", "0"], {}, "server.workers"),
        (["--workers", "many"], {}, 'from 1 to 512, or "auto"'),
        (["--redis-url", "http://127.0.0.1"], {}, "redis.url"),
        (["--config", "/nowhere.toml"], {}, "/nowhere.toml"),
        ([], {"DEVICEFLOW_SERVER_PORT": "many"}, "DEVICEFLOW_SERVER_PORT"),
        ([], {"DEVICEFLOW_SERVER_PROT": "1"}, "DEVICEFLOW_SERVER_PORT"),
    ],
)
def test_wrong_settings(
    serve: Serve, options: list[str], variables: dict[str, str], hint: str
) -> None:
    result = serve(*options, **variables)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith("deviceflow: ")
    assert hint in line


def test_a_password_in_a_wrong_redis_url_is_not_shown(serve: Serve) -> None:
    result = serve("--redis-url", "reddis://user:hunter22@127.0.0.1:6379")
    assert result.exit_code == 1
    assert "hunter22" not in result.output


def test_all_that_is_wrong_is_said_at_once(serve: Serve) -> None:
    result = serve("--workers", "0", "--port", "-1")
    assert len(result.output.splitlines()) == 2


def test_what_is_risky_is_logged(serve: Serve, tmp_path: Path) -> None:
    """The warnings of `check`, without those about clients: the store may have some."""
    file = tmp_path / "deviceflow.toml"
    file.write_text("[tokens]\naccess_token_lifetime_s = 7200\n", encoding="utf-8")
    options = ("--host", "0.0.0.0", "--config", str(file))  # noqa: S104, that is the risk
    with capture_logs() as logs:
        assert serve(*options, DEVICEFLOW_ISSUER="http://127.0.0.1").exit_code == 0
    assert [line["warning"].partition(":")[0] for line in logs] == [
        "issuer",
        "tokens.access_token_lifetime_s",
    ]
    assert {(line["event"], line["log_level"]) for line in logs} == {
        ("settings.warning", "warning")
    }


def test_it_cannot_start(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Started, "problem", "the port is taken. Take another.")
    result = serve()
    assert result.exit_code == 1
    assert result.output == "deviceflow: the port is taken. Take another.\n"
