"""What is wrong with lines of an audit, and where, and what is not."""

from collections.abc import Sequence

import msgspec
import pytest

from deviceflow.audit.chain import Chain
from deviceflow.audit.events import AuditLine, SecurityEvent
from deviceflow.audit.verification import Verification

TIME = "2026-11-27T00:00:00.000Z"
LATER = "2026-11-27T01:00:00.000Z"


def started(chain: Chain, follows: str = "", time: str = TIME) -> bytes:
    return chain.add(
        AuditLine(
            time=time,
            event=SecurityEvent.CHAIN_STARTED,
            follows=follows,
            process="worker",
            host="tv1",
        )
    )


def event(chain: Chain, time: str = TIME, sub: str = "ada") -> bytes:
    return chain.add(AuditLine(time=time, event=SecurityEvent.GRANT_APPROVED, sub=sub))


def ended(chain: Chain) -> bytes:
    return chain.add(AuditLine(time=LATER, event=SecurityEvent.CHAIN_ENDED))


def whole(name: str = "a", events: int = 5) -> list[bytes]:
    chain = Chain(name)
    return [started(chain), *(event(chain) for _ in range(events)), ended(chain)]


def verify(*files: Sequence[bytes]) -> tuple[list[str], list[str]]:
    """The breaks and the remarks; the files are named 0, 1, 2."""
    verification = Verification()
    for number, lines in enumerate(files):
        verification.read(str(number), lines)
    problems = verification.problems()
    texts = [(f"{problem.spot} {problem.text}", problem.is_break) for problem in problems]
    return [text for text, is_break in texts if is_break], [t for t, broken in texts if not broken]


def test_a_whole_chain() -> None:
    verification = Verification()
    verification.read("f", whole())
    assert verification.problems() == []
    chain = verification.chains["a"]
    assert (chain.process, chain.host, chain.lines, chain.is_ended) == ("worker", "tv1", 7, True)


def test_several_processes_in_one_file() -> None:
    a, b, c = whole("a"), whole("b"), whole("c", 20)
    lines = [a[0], b[0], c[0], *c[1:9], a[1], b[1], a[2], *c[9:], *b[2:], *a[3:]]
    assert verify(lines) == ([], [])


def test_rotated_files_in_any_order() -> None:
    a, b = whole("a", 12), whole("b")
    files = ([*a[:4], *b[:3]], [*a[4:9]], [*b[3:], *a[9:]])
    assert verify(*files) == ([], [])
    assert verify(files[2], files[0], files[1]) == ([], [])


@pytest.mark.parametrize("number", range(7))
def test_a_line_that_was_changed(number: int) -> None:
    lines = whole()
    lines[number] = lines[number].replace(b"2026", b"2025", 1)
    breaks, _ = verify(lines)
    assert breaks == [f"0:{number + 1} was changed: its hash is another"]


def test_a_line_that_was_changed_with_its_hash() -> None:
    """The line after it has the hash of what was there."""
    lines, forged = whole(), Chain("a")
    for _ in range(2):
        forged.add(AuditLine(time=TIME, event=SecurityEvent.CHAIN_STARTED))
    lines[2] = event(forged, sub="eve")
    breaks, _ = verify(lines)
    assert breaks[0].startswith("0:3 does not follow the line before it in its chain")
    assert breaks[1].startswith("0:4 does not follow the line before it in its chain")


def test_lines_that_are_missing() -> None:
    lines = whole(events=9)
    assert verify([*lines[:3], *lines[4:]])[0] == ["0:4 line 4 of chain a missing before it"]
    assert verify([*lines[:3], *lines[6:]])[0] == ["0:4 lines 4 to 6 of chain a missing before it"]


def test_a_file_that_is_missing() -> None:
    lines = whole(events=12)
    breaks, _ = verify(lines[:4], lines[8:])
    assert breaks == ["1:1 lines 5 to 8 of chain a missing before it"]


def test_lines_that_were_cut_out_from_the_start_of_a_chain() -> None:
    """Only the oldest file may begin in the middle of a chain: those before it were removed."""
    a, b = whole("a"), whole("b")
    text = "is line 4 of chain a: those before are not here"
    assert verify([*a[3:]]) == ([], [f"0:1 {text}"])
    assert verify(b, a[3:]) == ([f"1:1 {text}"], [])


def test_a_chain_that_has_no_end() -> None:
    verification = Verification()
    verification.read("f", whole()[:-1])
    assert verification.problems() == []
    assert not verification.chains["a"].is_ended


def test_what_comes_after_the_end_of_a_chain() -> None:
    chain = Chain("a")
    lines = [started(chain), ended(chain), event(chain)]
    assert verify(lines)[0] == ["0:3 comes after the end of its chain"]
    assert verify(lines[:2], lines[2:])[0] == ["1:1 comes after the end of its chain"]


def test_a_chain_that_does_not_begin_as_one() -> None:
    assert verify([event(Chain("a"))])[0] == ["0:1 is no beginning of a chain"]


def test_a_chain_that_was_removed_as_a_whole() -> None:
    """The next one says after which line it began."""
    a, b = whole("a"), Chain("b")
    after = [started(b, "a:7", LATER), event(b, LATER)]
    assert verify([*a, *after]) == ([], [])
    older = whole("c")
    assert verify([*older, *after])[0] == ["0:8 follows line 7 of chain a, which is not here"]
    assert verify([*a[:-1], *after])[0] == ["0:7 follows line 7 of chain a, which is not here"]


def test_what_an_older_file_may_have_had() -> None:
    chain = Chain("b")
    breaks, remarks = verify([started(chain, "a:7"), event(chain)])
    assert breaks == []
    assert remarks == ["0:1 follows line 7 of chain a, which is not here"]


def test_half_a_line_after_a_crash() -> None:
    lines = whole("a")[:-1]
    half = event(Chain("x"))[:40]
    text = "is half a line: its process died while it wrote"
    assert verify([*lines, half]) == ([], [f"0:7 {text}"])
    assert verify([*lines, half + b"\n", *whole("b")]) == ([], [f"0:7 {text}"])


def test_half_a_line_in_the_middle_of_a_chain() -> None:
    lines = whole()
    breaks, _ = verify([*lines[:3], lines[3][:50] + b"\n", *lines[4:]])
    assert breaks == ["0:5 line 4 of chain a missing before it"]


def test_what_is_no_line_of_an_audit() -> None:
    assert verify([*whole(), b"\n", b"a line of a log\n"])[0] == ["0:9 is no line of an audit"]


def test_lines_that_came_twice() -> None:
    """A webhook whose answer was lost gets them again."""
    lines = whole()
    assert verify([*lines[:5], *lines[2:5], *lines[5:]]) == ([], [])
    assert verify(lines, lines) == ([], [])


def test_a_second_line_in_the_same_place() -> None:
    lines, other = whole(), Chain("a")
    forged = [started(other), event(other), event(other, sub="eve")]
    breaks, _ = verify([*lines, forged[2]])
    assert breaks == ["0:8 is a second line a:3, with other words"]


def test_lines_that_a_sink_has_lost() -> None:
    """The line that says so makes a gap of that size no break."""
    chain = Chain("a")
    lines = [started(chain), *(event(chain) for _ in range(6))]
    lost = chain.add(AuditLine(time=TIME, event=SecurityEvent.LINES_LOST, sink="webhook", lost=2))
    text = "of chain a missing before it"
    breaks, remarks = verify([*lines[:2], *lines[4:], lost])
    assert breaks == []
    assert remarks == [f"0:3 lines 3 to 4 {text}; a later line says that its sink lost them"]
    assert verify([*lines[:2], *lines[5:], lost])[0] == [f"0:3 lines 3 to 5 {text}"]


@pytest.mark.parametrize(
    "line",
    [
        {"time": "yesterday"},
        {"time": "2026-99-27T00:00:00.000Z"},
        {"time": "2026-11-27\n00:00:00.000Z"},
        {"time": "2026-11-27T00:00:00"},
        {"follows": "b:x"},
        {"follows": "b"},
        {"host": "tv1\nwhole: 7 lines"},
        {"process": "\x1b[2J"},
    ],
)
def test_a_line_that_no_process_writes_is_none_of_an_audit(line: dict[str, str]) -> None:
    """Its hash is right: anybody can make one."""
    facts = {"time": TIME, "event": SecurityEvent.CHAIN_STARTED} | line
    forged = Chain("b").add(msgspec.convert(facts, AuditLine))
    assert verify(whole(), [forged]) == (["1:1 is no line of an audit"], [])


def test_the_name_of_a_chain_is_not_a_line_of_its_own() -> None:
    assert verify([started(Chain("b\nwhole: 7 lines"))])[0] == ["0:1 is no line of an audit"]
