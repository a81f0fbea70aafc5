"""The reports: what is escaped, what counts as failed, what the page needs from elsewhere."""

import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import fromstring

import msgspec
import pytest
from click.testing import CliRunner

from deviceflow.__main__ import main
from deviceflow.conformance.check import Judgement, Level, Result
from deviceflow.conformance.checks import CATALOGUE
from deviceflow.conformance.exchange import Exchange
from deviceflow.conformance.profiles import PROFILES
from deviceflow.conformance.report import Run
from deviceflow.conformance.report.machine import as_json, as_junit
from deviceflow.conformance.report.page import as_page

HOSTILE = "<script>alert('x')</script> & \"quotes\""


def run_of(*judgements: Judgement) -> Run:
    exchange = Exchange(
        method="POST",
        url="http://tv.example/token",
        sent=[("grant_type", HOSTILE)],
        status=400,
        headers={},
        body=HOSTILE,
        seconds=0.1,
    )
    results = [
        Result(check=check, judgement=judgement, reason=HOSTILE, seconds=1, exchanges=[exchange])
        for check, judgement in zip(CATALOGUE.values(), judgements, strict=False)
    ]
    return Run(
        issuer="http://tv.example",
        server=HOSTILE,
        profile="strict",
        began=datetime(2026, 11, 1, tzinfo=UTC),
        seconds=3,
        version="0.1.0",
        is_passed=PROFILES["strict"].is_passed(results),
        results=results,
    )


def test_json_has_everything() -> None:
    report = msgspec.json.decode(as_json(run_of(*Judgement)))
    assert report["counts"] == {judgement.value: 1 for judgement in Judgement}
    assert [each["judgement"] for each in report["checks"]] == [*Judgement]
    assert report["checks"][0]["exchanges"][0]["body"] == HOSTILE


def test_junit_is_xml() -> None:
    suite = fromstring(as_junit(run_of(*Judgement)))  # noqa: S314, our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "2", "2")
    assert {case.find("failure") is not None for case in suite} == {True, False}


def test_the_page_stands_alone() -> None:
    page = as_page(run_of(*Judgement))
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', page) == []
    assert "&lt;script&gt;" in page


def test_servers_side_by_side(tmp_path: Path) -> None:
    """The command prints the tables, and makes its files small."""
    paths = [tmp_path / "right.json", tmp_path / "wrong.json"]
    for path, judgement in zip(paths, (Judgement.PASS, Judgement.FAIL), strict=True):
        run = msgspec.structs.replace(run_of(judgement), server=path.stem)
        path.write_bytes(as_json(run))
    arguments = ["conform-compare", "--shorten", *map(str, paths)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    title = next(iter(CATALOGUE.values())).title
    assert f"| {title} | RFC 8414 3.3 MUST | yes | **no** |" in done.stdout
    assert "## right\n\nNo deviation was found." in done.stdout
    assert all(b"exchanges" not in path.read_bytes() for path in paths)
    assert CliRunner().invoke(main, arguments).stdout == done.stdout


def test_a_file_that_is_no_report(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}", encoding="utf-8")
    done = CliRunner().invoke(main, ["conform-compare", str(path)])
    assert done.exit_code == 2
    assert "no report" in done.stderr


@pytest.mark.parametrize(
    ("profile", "judgement", "is_passed"),
    [
        ("rfc8628", Judgement.FAIL, False),
        ("rfc8628", Judgement.WARNING, True),
        ("rfc8628", Judgement.UNJUDGED, True),
        ("oauth-bcp", Judgement.WARNING, True),
        ("strict", Judgement.WARNING, False),
        ("strict", Judgement.NOT_APPLICABLE, True),
    ],
)
def test_what_fails_a_profile(profile: str, judgement: Judgement, is_passed: bool) -> None:  # noqa: FBT001
    assert PROFILES[profile].is_passed(run_of(judgement).results) is is_passed


def test_profiles_grow() -> None:
    has = {
        name: {check.id for check in CATALOGUE.values() if profile.has(check)}
        for name, profile in PROFILES.items()
    }
    assert has["rfc8628"] < has["oauth-bcp"] < has["strict"] == {*CATALOGUE}
    assert {CATALOGUE[each].level for each in has["oauth-bcp"]} == {Level.MUST, Level.SHOULD}
