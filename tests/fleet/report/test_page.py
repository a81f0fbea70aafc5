"""The page, and what it says of a run."""

import re
from html import unescape
from html.parser import HTMLParser

import msgspec
import pytest

from deviceflow.fleet.arrivals import ARRIVALS
from deviceflow.fleet.objectives import judge, read_objective
from deviceflow.fleet.report import story
from deviceflow.fleet.report.explanations import EXPLANATIONS, UNEXPLAINED
from deviceflow.fleet.report.page import as_page
from deviceflow.fleet.report.panels import panels
from deviceflow.fleet.result import FleetResult, Objective
from deviceflow.fleet.styles import STYLES
from deviceflow.fleet.verdict import WrongKind
from tests.stage.fleet import HOSTILE, RESULT

VOID = {"meta"}


class Reader(HTMLParser):
    """Reads a page: that each element is closed, and what is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.text: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in VOID:
            self.open.append(tag)
        if tag == "svg" and ("role", "img") in attrs:
            self.text.setdefault("alt", []).append(dict(attrs)["aria-label"] or "")

    def handle_startendtag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def objectives(*texts: str) -> list[Objective]:
    return judge([read_objective(text) for text in texts], RESULT)


def page_with(*texts: str) -> str:
    return as_page(msgspec.structs.replace(RESULT, objectives=objectives(*texts)))


def test_the_page_stands_alone() -> None:
    page = as_page(RESULT)
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="[^"]*"|url\(|@import', page) == []
    assert unescape(page).count(HOSTILE) == 3, "title, heading, example"


def test_each_chart_has_its_table_and_a_text() -> None:
    reader = read(as_page(RESULT))
    charts = reader.text["h3"]
    assert charts == [
        "Answers to polls",
        "Latency of polls",
        "Errors and wrong outcomes",
        "Devices",
        "Grants",
        "From the approval to the tokens",
        "Cores in use",
        "Latency by percentile",
    ]
    assert reader.text["summary"] == [f"{title}, as a table" for title in charts]
    for alt, title in zip(reader.text["alt"], charts, strict=True):
        assert alt.startswith(title)
    assert "p99 at most 29 ms" in reader.text["alt"][1]
    assert "Fault at 0:04: a worker is killed." in reader.text["alt"][0]


def test_what_did_not_happen_has_no_chart() -> None:
    empty = msgspec.structs.replace(RESULT, series=[], latencies={}, wrong={}, errors={})
    reader = read(as_page(empty))
    assert "h3" not in reader.text
    assert "None: every answer was one that RFC 8628 allows." in reader.text["p"]
    assert "Errors" not in reader.text["h2"]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (RESULT, "No objectives were set for this run."),
        (
            msgspec.structs.replace(RESULT, is_complete=False),
            "The run was ended early, after 10 s.",
        ),
        (
            msgspec.structs.replace(RESULT, objectives=objectives("poll p99 < 50 ms")),
            "Every objective was reached.",
        ),
        (
            msgspec.structs.replace(RESULT, objectives=objectives("wrong = 0", "errors <= 9")),
            "1 of 2 objectives not reached: wrong outcomes.",
        ),
    ],
)
def test_the_verdict_comes_first(result: FleetResult, words: str) -> None:
    assert read(as_page(result)).text["p"][1] == words


def test_each_objective_has_a_row() -> None:
    cells = read(page_with("poll p99 < 50 ms", "refresh p50 < 1 s", "polls > 3000/s")).text["td"]
    assert cells[:9] == [
        *("below 50 ms", "21 ms", "reached"),
        *("below 1 s", "nothing to measure", "not reached"),
        *("above 3,000 a second", "10 a second", "not reached"),
    ]


def test_a_wrong_outcome_is_explained() -> None:
    assert EXPLANATIONS["malformed answer"] in read(as_page(RESULT)).text["p"]
    unknown = msgspec.structs.replace(RESULT, wrong={"odd": RESULT.wrong["malformed answer"]})
    assert UNEXPLAINED in read(as_page(unknown)).text["p"]


def test_everything_that_can_be_in_a_result_has_words() -> None:
    assert [*EXPLANATIONS] == [*WrongKind]
    assert story.ARRIVAL_WORDS.keys() == ARRIVALS.keys()
    assert story.STYLE_WORDS.keys() == STYLES.keys()


def test_the_scenario_is_told_in_words() -> None:
    words = " ".join(read(as_page(RESULT)).text["p"]).replace("\N{NO-BREAK SPACE}", " ")
    for sentence in (
        "20 devices begin one after the other, and begin again when they are done.",
        "75 % poll at the interval over a kept connection; 25 % poll too fast and ignore slow_down",
        "80 % approve, 5 % deny, 15 % walk away.",
        "At 0:04: a worker is killed.",
    ):
        assert sentence in words


@pytest.mark.parametrize(("causes", "columns"), [(4, "abcd"), (6, "abc")])
def test_rare_errors_are_drawn_together(causes: int, columns: str) -> None:
    errors = {name: 10 - place for place, name in enumerate("abcdef"[:causes])}
    seconds = [msgspec.structs.replace(RESULT.series[0], errors=errors)]
    panel = next(
        panel
        for panel in panels(msgspec.structs.replace(RESULT, series=seconds))
        if panel.title.startswith("Errors")
    )
    head, (row,) = panel.table
    names = [*columns, *(["other errors"] if causes > len(columns) else [])]
    assert head == ["from", *names]
    assert sum(int(figure) for figure in row[1:]) == sum(errors.values())
