"""`deviceflow top` beside a server: one frame, and clear errors."""

from tests.stage.process import Command, NewDevice
from tests.stage.program import Program


def test_one_frame_for_scripts(program: Program, command: Command, device: NewDevice) -> None:
    address = program.admin_url.removeprefix("http://")
    device().authorize()
    ended = command("top", address, "--once", "--interval", "0.5")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("deviceflow ")
    assert "store     reachable   writable" in ended.stdout
    assert len([line for line in lines if line.startswith(address[:21])]) == 2, "two workers"
    assert "\x1b" not in ended.stdout


def test_the_address_comes_from_the_settings(program: Program, command: Command) -> None:
    port = program.admin_url.rpartition(":")[2]
    variables = {"DEVICEFLOW_SERVER_ADMIN_PORT": port}
    ended = command("top", "--once", "--interval", "0.2", variables=variables)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_public_port_is_not_the_admin_port(program: Program, command: Command) -> None:
    ended = command("top", program.url, "--once")
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert f"{program.url} answers, but has no metrics (status 404)" in line


def test_nobody_is_there(command: Command) -> None:
    ended = command("top", "127.0.0.1:1", "--once")
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("deviceflow: no answer from http://127.0.0.1:1: ")
    assert "server.admin_port" in line


def test_what_is_no_address(command: Command) -> None:
    for address in ("127.0.0.1:port", "https://127.0.0.1:8629", "http://"):
        ended = command("top", address, "--once")
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "expected the address of an admin port" in ended.stderr
