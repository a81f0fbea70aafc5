"""A server that cannot start says why in one line, with status 1 and no traceback."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stage.process import Command
from tests.stage.program import Program

Refused = Callable[..., str]


@pytest.fixture
def refused(command: Command) -> Refused:
    """Starts a server that must not start; the one line that it says."""

    def start(*options: str) -> str:
        ports = ("--port", "0", "--admin-port", "0", "--data-dir", "data")
        ended = command("serve", *ports, *options)
        assert (ended.returncode, ended.stdout) == (1, ""), ended
        (line,) = ended.stderr.splitlines()
        assert line.startswith("deviceflow: ")
        return line

    return start


@pytest.fixture
def busy_port() -> Iterator[str]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield str(taken.getsockname()[1])


def test_the_port_is_in_use(refused: Refused, busy_port: str) -> None:
    line = refused("--port", busy_port)
    assert busy_port in line
    assert "--port (or server.port)" in line


def test_the_admin_port_is_in_use(refused: Refused, busy_port: str) -> None:
    line = refused("--admin-port", busy_port)
    assert busy_port in line
    assert "--admin-port (or server.admin_port)" in line


def test_the_port_of_another_deviceflow(refused: Refused, program: Program) -> None:
    """SO_REUSEPORT must not let two servers share a port by accident."""
    assert str(program.port) in refused("--port", str(program.port), "--data-dir", "elsewhere")


def test_the_data_directory_of_another_deviceflow(refused: Refused, program: Program) -> None:
    line = refused("--data-dir", str(program.data_dir))
    assert str(program.data_dir) in line
    assert "another deviceflow" in line


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://me:hunter22@127.0.0.1:1/0", "127.0.0.1:1: nothing listens there"),
        ("unix:///nowhere/valkey.sock", "/nowhere/valkey.sock: there is no such file"),
    ],
)
def test_redis_cannot_be_reached(refused: Refused, url: str, address: str) -> None:
    line = refused("--redis-url", url)
    assert f"the store at {address}" in line
    assert "hunter22" not in line


def test_what_answers_is_no_redis(refused: Refused, program: Program) -> None:
    assert "no Redis answers there" in refused("--redis-url", f"redis://127.0.0.1:{program.port}/0")


def test_it_says_which_store_it_has(program: Program) -> None:
    event = program.wait_for("server.listening")
    assert (event["store"], event["store_at"]) == ("embedded", str(program.data_dir))


def test_the_data_directory_cannot_be_made(refused: Refused, folder: Path) -> None:
    (folder / "file").write_text("", encoding="ascii")
    line = refused("--data-dir", str(folder / "file" / "data"))
    assert str(folder / "file") in line
    assert "data_dir" in line


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[server]\nprot = 1", "server.prot"),
        ("[server]\nworkers = 'x'", "server.workers"),
        ("[server", "deviceflow.toml"),
        ("[[clients]]\nname = 'TV'", "clients[0].client_id"),
        ("[[users]]\nusername = 'a'\npassword_hash = 'hunter22'", "users[0].password_hash"),
    ],
)
def test_the_configuration_is_wrong(refused: Refused, folder: Path, text: str, hint: str) -> None:
    """The path of what is wrong, and never a secret."""
    file = folder / "deviceflow.toml"
    file.write_text(text, encoding="utf-8")
    line = refused("--config", str(file))
    assert hint in line
    assert "hunter22" not in line


def test_there_is_no_such_file(refused: Refused) -> None:
    assert "nowhere.toml" in refused("--config", "nowhere.toml")


def test_a_port_that_is_none(refused: Refused) -> None:
    assert "server.port" in refused("--port", "70000")


def test_an_issuer_that_reaches_others_without_tls(refused: Refused) -> None:
    """8628-3.1-a: plain HTTP never leaves this machine."""
    assert "issuer" in refused("--host", "192.0.2.1")
