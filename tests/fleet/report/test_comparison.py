"""Several runs side by side: the command, and its page."""

import re
from pathlib import Path

import msgspec
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.fleet.report.comparison import as_page, as_table, differences
from deviceflow.fleet.result import FleetResult, Operation, as_json
from tests.stage.fleet import HOSTILE, RESULT

POLL = RESULT.latencies[Operation.POLL]
OTHER = msgspec.structs.replace(
    RESULT,
    server="slower",
    wrong={},
    scenario=msgspec.structs.replace(RESULT.scenario, devices=21, seed=2),
    latencies={Operation.POLL: msgspec.structs.replace(POLL, p99_ms=2 * POLL.p99_ms)},
)


def invoke(tmp_path: Path, *results: FleetResult, options: tuple[str, ...] = ()) -> Result:
    paths = []
    for place, result in enumerate(results):
        path = tmp_path / f"run-{place}.json"
        path.write_bytes(as_json(result))
        paths.append(str(path))
    return CliRunner().invoke(main, ["fleet-compare", *paths, *options], env={"COLUMNS": "200"})


def test_figures_have_ratios_to_the_first_run() -> None:
    head, rows = as_table({"a": RESULT, "b": OTHER})
    assert head == ["figure", "a", "b", "ratio"]
    figures = {row[0]: row[1:] for row in rows}
    assert figures["poll p99"] == ["21 ms", "42 ms", "2 x"]
    assert figures["wrong outcomes"] == ["3", "0", "0 x"]
    assert "refreshes" not in figures, "0 in both"
    assert as_table({"b": OTHER, "a": RESULT})[1][0][3] == "\N{EN DASH}", "no ratio to 0"


def test_what_makes_the_comparison_unfair_is_said() -> None:
    assert differences([RESULT, RESULT]) == []
    assert differences([RESULT, OTHER]) == ["devices"]
    people = msgspec.structs.replace(RESULT.scenario.people, median_s=1.0)
    scenario = msgspec.structs.replace(RESULT.scenario, people=people)
    settings = msgspec.structs.replace(RESULT.settings, interval_s=1)
    machine = msgspec.structs.replace(RESULT.machine, cores=4)
    third = msgspec.structs.replace(RESULT, scenario=scenario, settings=settings, machine=machine)
    assert differences([RESULT, third]) == [
        "people's median_s",
        "interval of the server",
        "machine of the generator",
    ]


def test_the_page_stands_alone() -> None:
    page = as_page({HOSTILE: RESULT, "slower": OTHER})
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="[^"]*"|url\(', page) == []
    assert re.findall("<h3>(.*?)</h3>", page) == ["Poll"]
    assert "The runs differ in: devices." in page


def test_the_command_prints_the_table_and_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = invoke(tmp_path, RESULT, OTHER, options=("--html", str(page)))
    assert done.exit_code == 0, done.output
    assert re.search(r"poll p99 +21 ms +42 ms +2 x", done.stdout)
    assert "The runs differ in: devices." in done.stdout
    assert "slower" in page.read_text(encoding="utf-8")


def test_runs_of_the_same_server_are_named_by_their_files(tmp_path: Path) -> None:
    assert re.search(r"run-0 +run-1 +ratio", invoke(tmp_path, OTHER, OTHER).stdout)


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    assert "two results or more" in invoke(tmp_path, RESULT).output
    right, wrong = tmp_path / "run-0.json", tmp_path / "wrong.json"
    wrong.write_text('{"format": 1}')
    done = CliRunner().invoke(main, ["fleet-compare", str(right), str(wrong)])
    assert (done.exit_code, "missing required field" in done.output) == (2, True)
    done = CliRunner().invoke(main, ["fleet-compare", str(right), str(right)])
    assert (done.exit_code, "two results or more" in done.output) == (2, True)


def test_a_page_for_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = invoke(tmp_path, RESULT, OTHER, options=("--html", str(tmp_path / "no" / "x.html")))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "there is no folder" in done.stderr


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "run.json" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(as_json(OTHER))
    done = CliRunner().invoke(main, ["fleet-compare", *map(str, paths)], env={"COLUMNS": "300"})
    assert str(paths[0]) in done.stdout
