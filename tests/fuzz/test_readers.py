"""Each reader of strangers' bytes reads an input or refuses it in its own words: a short run.

`make fuzz-readers INPUTS=10000000` is the long one.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from tests.fuzz import __main__ as command
from tests.fuzz.campaign import be_quiet, inputs_of, keep, run_chunk, shares, target_of
from tests.fuzz.target import MOST_CPU_S, Finding, Target, fault
from tests.fuzz.targets import TARGETS

INPUTS = 300
SLOW = {"environment variable": 60}
"""Readers that take milliseconds for an input get fewer."""

SEED = 8628

FOUND = {
    "a cookie that is not UTF-8": ("cookies", b"deviceflow-console=a.b.c.\xff"),
    "a Referer that is not UTF-8": ("headers", b"Referer: http://localhost:8628/device?a=\xff"),
    "a Content-Type of 8 kB": ("headers", b'Content-Type: text/html; "' + b"=a" * 4000),
    "a session of a provider with half a surrogate pair": (
        "logout token",
        TARGETS["logout token"].examples[0].replace(b'"s"', b'"\\ud800"'),
    ),
    "a port of 5,000 digits": ("URL of the store", b"redis://r:" + b"1" * 5000),
    "a variable that is not UTF-8": ("environment variable", b"\x00\x94 \xff"),
    "an approval in the year 10^300": (
        "grant",
        TARGETS["grant"].examples[0].replace(b"\n1700\n", b"\n" + b"9" * 400 + b"\n"),
    ),
    "keys that are nested too deeply": ("sealed secrets", b"2\ne\n" + b'{"a":' * 5000),
}
"""Inputs that were neither read nor refused, and what they were in a word."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = structlog.get_config()
    be_quiet()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("name", TARGETS)
def test_examples_are_read(name: str) -> None:
    """Otherwise each mutation would be refused for the same reason, and nothing would be shown."""
    for example in TARGETS[name].examples:
        TARGETS[name].read(example)


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run(name: str) -> None:
    assert run_chunk(TARGETS[name], SEED, 0, SLOW.get(name, INPUTS)).findings == ()


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_stays_mended(what: str) -> None:
    name, data = FOUND[what]
    assert fault(TARGETS[name], data) is None


# The fuzzer itself


def _broken(data: bytes) -> None:
    if b"\xff" in data:
        raise LookupError


BROKEN = Target("broken reader", _broken, (b"a good example", b"another one"), (ValueError,))


def test_a_mistake_is_found_and_made_short() -> None:
    (finding,) = run_chunk(BROKEN, SEED, 0, 2000).findings
    assert finding.kind.startswith("LookupError at test_readers.py")
    assert finding.data == b"\xff"


def test_a_refusal_is_no_mistake() -> None:
    assert run_chunk(BROKEN._replace(allowed=(LookupError,)), SEED, 0, 2000).findings == ()


def test_a_reader_that_takes_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((0.0, MOST_CPU_S + 0.1))
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    assert fault(BROKEN, b"") == "slow"


def test_a_seed_gives_the_same_inputs_again() -> None:
    first, again, other, next_chunk = (
        list(inputs_of(BROKEN, seed, number, 50))
        for seed, number in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    assert first == again
    assert first not in (other, next_chunk)


def test_every_reader_has_a_share() -> None:
    wanted = shares(10_000, ["form", "names"])
    assert abs(sum(wanted.values()) - 10_000) < 2
    assert min(wanted.values()) > 0


def test_a_kept_input_says_whose_it_is(tmp_path: Path) -> None:
    path = keep(Finding("device code", "ValueError at x", b"\xff"), tmp_path / "new")
    assert path.read_bytes() == b"\xff"
    assert target_of(path) is TARGETS["device code"]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, BROKEN.name, BROKEN)
    options = ["--inputs=3000", "--jobs=1", f"--only={BROKEN.name}", f"--folder={tmp_path}"]
    done = CliRunner().invoke(command.main, options)
    assert done.exit_code == 1
    assert "3,000 inputs, 1 findings" in done.output
    (kept,) = tmp_path.iterdir()
    again = CliRunner().invoke(command.main, [f"--again={kept}"])
    assert isinstance(again.exception, LookupError)
    monkeypatch.setitem(TARGETS, BROKEN.name, BROKEN._replace(allowed=(LookupError,)))
    assert CliRunner().invoke(command.main, options).exit_code == 0
    assert CliRunner().invoke(command.main, [f"--again={kept}"]).exit_code == 0
