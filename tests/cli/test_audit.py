"""`deviceflow audit verify`: what is whole, what is broken and where."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.audit.chain import Chain
from deviceflow.audit.events import TRIED_NAME, AuditLine, SecurityEvent
from deviceflow.store.installation import Installation
from tests.stage.valkey import Valkey

TIME = "2026-11-27T00:00:00.000Z"


def lines() -> list[bytes]:
    chain, kinds = Chain("a"), [SecurityEvent.CHAIN_STARTED, SecurityEvent.GRANT_APPROVED]
    events = [*kinds, SecurityEvent.GRANT_DENIED, SecurityEvent.CHAIN_ENDED]
    return [chain.add(AuditLine(time=TIME, event=event, process="worker")) for event in events]


def verify(*files: Path) -> Result:
    return CliRunner().invoke(main, ["audit", "verify", *map(str, files)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(lines()))
    return file


def test_whole_files(file: Path) -> None:
    result = verify(file)
    assert result.exit_code == 0, result.output
    assert "chain a (worker): lines 1 to 4" in result.output
    assert "ended" in result.output
    assert result.output.endswith("whole: 4 lines, 1 chains\n")


def test_the_first_break_is_named_with_its_line(file: Path) -> None:
    text = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([text[0], *text[2:]]))
    result = verify(file)
    assert result.exit_code == 1
    assert f"BREAK: {file}:2 line 2 of chain a missing before it" in result.output
    assert f"deviceflow: broken: {file}:2" in result.stderr


def test_a_remark_is_no_break(file: Path) -> None:
    file.write_bytes(b"".join(lines()[:-1]) + lines()[-1][:30])
    result = verify(file)
    assert result.exit_code == 0
    assert f"note: {file}:4 is half a line" in result.output
    assert "open: it runs, was killed, or its end was cut off" in result.output


def test_many_breaks_are_counted(file: Path) -> None:
    file.write_bytes(b"no line\n" * 30 + b"".join(lines()))
    assert "... and 10 more" in verify(file).output


def test_files_without_an_audit(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert verify(empty).stderr == "deviceflow: there is no line of an audit in these files\n"
    assert verify(tmp_path / "none").exit_code == 2


def test_the_hash_of_a_name_is_the_one_of_the_lines(
    valkey: Valkey, installation: Installation, tmp_path: Path
) -> None:
    """In every spelling of the name; and it is none that anybody can compute."""
    places = ["--redis-url", valkey.url, "--data-dir", str(tmp_path)]
    hashes = [
        CliRunner().invoke(main, ["audit", "name", *places, name]).stdout
        for name in ("Ada", "ada", "bob")
    ]
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[2].strip() == installation.hidden_name(TRIED_NAME, b"bob")
