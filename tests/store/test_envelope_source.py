"""Where envelope keys are read, and what is said of a source that is no good."""

import sys
from pathlib import Path
from unittest import mock

import pytest

from deviceflow.config import Keys
from deviceflow.store import envelope_source
from deviceflow.store.envelope import Envelope, EnvelopeError
from deviceflow.store.envelope_source import open_envelope

KEY = "ab" * 32
KEY_ID = Envelope(lambda: [bytes.fromhex(KEY)]).key_id


def printing(text: str) -> tuple[str, ...]:
    return sys.executable, "-S", "-c", text


def test_each_source(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of 2027\n{KEY}\n{'cd' * 32}\n")
    for source in (
        Keys(envelope_file=str(file)),
        Keys(envelope_keys=(KEY, "cd" * 32)),
        Keys(envelope_command=printing(f"print({KEY!r})")),
    ):
        assert open_envelope(source).key_id == KEY_ID
    assert not open_envelope(Keys()).can_seal


def test_a_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("cd" * 32)
    envelope = open_envelope(Keys(envelope_file=str(file)))
    assert envelope.key_id != KEY_ID
    file.write_text(KEY)
    envelope.read_again()
    assert envelope.key_id == KEY_ID


def problem(source: Keys) -> str:
    with pytest.raises(EnvelopeError) as raised:
        open_envelope(source)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_file_that_is_no_good(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    source = Keys(envelope_file=str(file))
    assert (
        problem(source) == f"keys.envelope_file: {file} cannot be read: No such file or directory"
    )
    file.write_text("# nothing\n")
    assert "has no key; expected 32 random bytes in base64" in problem(source)
    file.write_bytes(b"\xffhush\n")
    assert "has a line that is no key" in problem(source)
    assert "hush" not in problem(source), "perhaps it is nearly a key"


def test_a_command_that_is_no_good() -> None:
    missing = problem(Keys(envelope_command=("/no/such/command",)))
    assert missing.endswith("/no/such/command cannot be run: No such file or directory")
    text = f"import sys; print({KEY!r}); sys.exit('one\\naccess denied')"
    failed = problem(Keys(envelope_command=printing(text)))
    assert failed.endswith(f"{sys.executable} failed: access denied")
    assert problem(Keys(envelope_command=printing("import os; os._exit(3)"))).endswith("status 3")
    with mock.patch.object(envelope_source, "SOURCE_TIMEOUT_S", 0.01):
        text = "import time; time.sleep(60)"
        assert "has printed no key within" in problem(Keys(envelope_command=printing(text)))
