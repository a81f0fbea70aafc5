"""The newest events, read from the end of the file."""

from pathlib import Path

from deviceflow.audit.events import SecurityEvent
from deviceflow.audit.file_sink import FileSink
from deviceflow.audit.journal import Audit
from deviceflow.audit.reading import AuditReader
from deviceflow.ops.metrics.recorder import Recorder


def audit_of(*subs: str) -> Audit:
    audit = Audit(recorder=Recorder.alone())
    audit.begin(())
    for sub in subs:
        audit.record(SecurityEvent.GRANT_APPROVED, sub=sub)
    return audit


def append(path: Path, audit: Audit) -> None:
    sink = FileSink(path, 1, 3)
    sink.append(b"".join(audit.recent))
    sink.close()


async def test_the_newest_come_first_from_the_file_of_all_processes(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    append(path, audit_of("ada", "bob"))
    append(path, audit_of("eve"))  # the file was full: it is rotated before
    recent = await AuditReader(path=path, audit=audit_of("mine")).newest(2)
    assert recent.source == "file"
    assert [event["sub"] for event in recent.events] == ["eve", "bob"]
    assert recent.events[0].keys() == {"time", "event", "sub"}


async def test_half_a_line_at_either_end_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = [*audit_of("ada", "bob").recent]
    path.write_bytes(lines[1][9:] + lines[2] + lines[2][:50])
    recent = await AuditReader(path=path, audit=audit_of()).newest(9)
    assert [event["sub"] for event in recent.events] == ["bob"]


async def test_without_a_file_a_worker_tells_what_it_remembers(tmp_path: Path) -> None:
    recent = await AuditReader(path=None, audit=audit_of("ada", "bob")).newest(9)
    assert recent.source == "worker"
    assert [event["sub"] for event in recent.events] == ["bob", "ada"]
    missing = AuditReader(path=tmp_path / "none", audit=audit_of("ada"))
    assert (await missing.newest(9)).events == []


async def test_a_line_with_a_member_of_a_kind_that_nobody_knows_is_passed_over(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.jsonl"
    first, second = [*audit_of("ada", "bob").recent][1:]
    path.write_bytes(first.replace(b'{"time"', b'{"later":[1.5],"time"') + second)
    recent = await AuditReader(path=path, audit=audit_of()).newest(9)
    assert [event["sub"] for event in recent.events] == ["bob"]
