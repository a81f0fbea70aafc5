"""`deviceflow config`: the settings file and the files for the deployment."""

from pathlib import Path

from click.testing import CliRunner, Result

from deviceflow.cli.config import config
from deviceflow.config import load
from tests.stage.checkout import ROOT, SHIPPED_SETTINGS


def run(*arguments: str) -> Result:
    return CliRunner().invoke(config, arguments)


def test_it_prints_a_settings_file_that_the_server_takes(tmp_path: Path) -> None:
    printed = run()
    assert printed.exit_code == 0
    assert printed.stdout == SHIPPED_SETTINGS.read_text(encoding="utf-8")
    file = tmp_path / "deviceflow.toml"
    file.write_text(printed.stdout, encoding="utf-8")
    assert [client.client_id for client in load(file, environ={}).clients] == ["tv-app"]


def test_every_file_of_the_list_can_be_printed() -> None:
    names = run("--list").stdout.split()
    assert "deviceflow.toml" in names
    for name in names:
        assert run(name).stdout == (ROOT / "config" / name).read_text(encoding="utf-8"), name


def test_a_name_that_is_not_in_the_list() -> None:
    """A path that leads out of the folder is no name either."""
    for name in ("nginx.toml", "../pyproject.toml", "/etc/hostname"):
        refused = run(name)
        assert refused.exit_code == 1
        assert refused.stdout == ""
        assert refused.stderr == (
            f'deviceflow: no file "{name}"; `deviceflow config --list` has the names\n'
        )
