"""The help of every command, as a newcomer reads it in a terminal of 80 columns."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

from deviceflow.__main__ import main
from tests.stage.checkout import ROOT

COLUMNS = 80
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands below a group, with the words that lead to them."""
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield (*path, name), command


ALL = list(commands(main))


@pytest.mark.parametrize(
    ("command", "needless"),
    [
        ("login", [b"store", b"oauth", b"pages", b"supervisor.server"]),
        ("reload", [b"store", b"oauth", b"pages", b"supervisor.server"]),
        ("keys", [b"oauth", b"pages", b"supervisor.server", b"parts"]),
    ],
)
def test_a_command_does_not_wait_for_the_servers_modules(
    command: str, needless: list[bytes]
) -> None:
    script = f"import sys, deviceflow.__main__ as d; d.main.get_command(None, {command!r})\n"
    script += "print(*[m for m in sys.modules if m.startswith('deviceflow.')])"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    modules = output.split()
    assert f"deviceflow.cli.{command}".encode() in modules
    assert [each for each in needless if b"deviceflow." + each in modules] == []


SERVER_ONLY = {
    Requirement(text).name
    for text in PYPROJECT["project"]["dependencies"]
    if Requirement(text).name not in {"aiohttp", "click", "msgspec", "segno"}
}
MODULES = {"argon2-cffi": "argon2", "precis-i18n": "precis_i18n"}

DEVICE_ALONE = """
import sys
for name in sys.argv[1].split():
    sys.modules[name] = None
sys.argv[1:] = sys.argv[2:]
import deviceflow.device, deviceflow.device.screen
from deviceflow.__main__ import main
main()
"""


def run_alone(*arguments: str, beside: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the program where only what docs/decisions/0048 names is installed, and `beside`."""
    names = SERVER_ONLY.difference(beside)
    hidden = " ".join(MODULES.get(name, name.replace("-", "_")) for name in names)
    return subprocess.run(
        [sys.executable, "-c", DEVICE_ALONE, hidden, *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_devices_side_needs_four_packages() -> None:
    assert {"redis", "structlog", "joserfc", "argon2-cffi"} <= SERVER_ONLY
    ended = run_alone("login", "http://127.0.0.1:1")
    assert (ended.returncode, "connection refused" in ended.stderr) == (1, True)


def test_the_conformance_suite_needs_two_more() -> None:
    """Cryptography and rich, as docs/conform.md says: none of the others is imported."""
    assert "rich" not in SERVER_ONLY
    ended = run_alone("conform", "--list", beside=("cryptography",))
    assert (ended.returncode, "RFC 8628 3.5" in ended.stdout) == (0, True)


def test_the_fleet_needs_one_more() -> None:
    """Rich, as docs/fleet.md says: it reads objectives, and looks for the server."""
    ended = run_alone("fleet", "--target", "http://127.0.0.1:1", "--client-id", "tv")
    assert (ended.returncode, "connection refused" in ended.stderr) == (3, True)


def test_the_help_lists_what_can_run() -> None:
    ended = run_alone("--help")
    assert ended.returncode == 0
    names = re.findall(r"^  ([a-z-]+)  ", ended.stdout.partition("Commands:")[2], re.MULTILINE)
    assert {"login", "logout"} <= set(names)
    assert "serve" not in names


def test_a_command_of_the_server_says_what_is_missing() -> None:
    ended = run_alone("serve")
    assert ended.returncode == 2
    assert re.search(
        r"`deviceflow serve` needs the package \w+, which is not installed", ended.stderr
    )
    assert "Traceback" not in ended.stderr


def help_of(path: tuple[str, ...]) -> str:
    result = CliRunner().invoke(main, [*path, "--help"], env={"COLUMNS": str(COLUMNS)})
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_nothing_is_cut(path: tuple[str, ...]) -> None:
    lines = help_of(path).splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert [line for line in lines if line.rstrip().endswith(("...", "…"))] == [
        line for line in lines if line.startswith("Usage:") and line.endswith("...")
    ]


@pytest.mark.parametrize(
    ("path", "group"),
    [(path, command) for path, command in ALL if isinstance(command, click.Group)],
    ids=str,
)
def test_a_group_tells_what_each_command_does(path: tuple[str, ...], group: click.Group) -> None:
    """The first sentence of its own help, whole."""
    told = " ".join(help_of(path).split())
    for name in group.list_commands(click.Context(group)):
        own = " ".join(help_of((*path, name)).split("\n\n")[1].split())
        sentence = own.partition(". ")[0].rstrip(".")
        assert f"{name} {sentence}" in told


@pytest.mark.parametrize(("path", "command"), [each for each in ALL if each[0]], ids=str)
def test_every_option_is_explained(path: tuple[str, ...], command: click.Command) -> None:
    assert command.help, path
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.opts for each in options if not each.help] == []
