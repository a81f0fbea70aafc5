"""The help of every command, as a newcomer reads it in a terminal of 80 columns."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from deviceflow.__main__ import main

COLUMNS = 80


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


def test_a_device_does_not_wait_for_the_servers_modules() -> None:
    script = "import sys, deviceflow.__main__ as d; d.main.get_command(None, 'login')\n"
    script += "print([m for m in sys.modules if m.startswith('deviceflow.')])"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert b"deviceflow.cli.login" in modules
    assert [each for each in (b"store", b"oauth", b"pages", b"supervisor") if each in modules] == []


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
