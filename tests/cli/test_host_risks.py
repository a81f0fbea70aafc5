"""What other users of this host can see."""

from pathlib import Path

import pytest

from deviceflow.cli.host_risks import command_line_risks, folder_risks
from deviceflow.config import Server, Settings


@pytest.mark.parametrize(
    ("mode", "is_warned"),
    [(0o755, True), (0o701, True), (0o770, True), (0o700, False), (None, False)],
)
def test_a_folder_that_others_can_look_into(
    tmp_path: Path, mode: int | None, *, is_warned: bool
) -> None:
    folder = tmp_path / "data"
    if mode is not None:
        folder.mkdir()
        folder.chmod(mode)
    lines = list(folder_risks(Settings(server=Server(data_dir=str(folder)))))
    assert len(lines) == is_warned
    assert all(f"has mode {mode:04o}" in line for line in lines if mode)
    assert all(line.endswith(f"chmod 700 {folder}") for line in lines)


@pytest.mark.parametrize(
    ("url", "is_warned"),
    [
        (None, False),
        ("redis://127.0.0.1", False),
        ("redis://df:hunter2@127.0.0.1", True),
        ("unix:///run/valkey.sock?password=hunter2", True),
        ("redis+sentinel://s1/primary?sentinel_password=hunter2", True),
    ],
)
def test_a_password_on_the_command_line(url: str | None, *, is_warned: bool) -> None:
    lines = list(command_line_risks(url))
    assert len(lines) == is_warned
    assert all("DEVICEFLOW_REDIS_URL" in line and "hunter2" not in line for line in lines)
