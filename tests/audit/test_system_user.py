"""The user of the system who gave a command."""

import os
import pwd

import pytest

from deviceflow.audit.system_user import system_user


def test_the_user_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    name = pwd.getpwuid(os.getuid()).pw_name
    assert system_user() == f"os:{name}"
    monkeypatch.setenv("SUDO_USER", "ada")
    assert system_user() == f"os:{name} (sudo by ada)"
    assert system_user(os.getuid()) == f"os:{name}", "another process had that environment"


def test_a_user_without_a_name() -> None:
    assert system_user(4_000_000_000) == "os:4000000000"
