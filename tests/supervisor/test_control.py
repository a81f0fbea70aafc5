"""The control socket: one command, one answer, for the server's user only."""

import threading
from pathlib import Path

import pytest

from deviceflow.supervisor.control import CONTROL_NAME, Control, ControlAnswer, ask
from tests.stage.waiting import PATIENCE_S, until_outside


def answer_once(control: Control, problems: list[str]) -> list[str]:
    """Answer the next command, as the supervisor's loop does; return the commands."""
    commands: list[str] = []

    def look() -> bool:
        for request in control.take(set(control.descriptors())):
            commands.append(request.command)
            request.answer(problems)
        return bool(commands)

    until_outside(look)
    return commands


@pytest.mark.parametrize("depth", [1, 12])
def test_a_command_and_its_answer(tmp_path: Path, depth: int) -> None:
    """Also below a folder whose path is too long for a socket's address."""
    folder = tmp_path.joinpath(*["a folder"] * depth)
    control = Control.open(folder)
    answers: list[ControlAnswer | None] = []
    asking = threading.Thread(target=lambda: answers.append(ask(folder, "reload")))
    asking.start()
    assert answer_once(control, ["line 1", "line 2"]) == ["reload"]
    asking.join(PATIENCE_S)
    assert answers == [ControlAnswer(["line 1", "line 2"])]
    assert (folder / CONTROL_NAME).stat().st_mode & 0o077 == 0
    control.close()
    assert ask(folder, "reload") is None


def test_the_socket_of_a_killed_server_is_replaced(tmp_path: Path) -> None:
    Control.open(tmp_path).close()
    control = Control.open(tmp_path)
    assert control.listener is not None
    control.close()


def test_the_socket_of_a_running_server_is_not_taken(tmp_path: Path) -> None:
    control = Control.open(tmp_path)
    assert Control.open(tmp_path).listener is None
    control.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The server runs all the same."""
    (tmp_path / "file").write_text("", "ascii")
    control = Control.open(tmp_path / "file" / "data")
    assert control.descriptors() == []
    assert control.take(set()) == []
