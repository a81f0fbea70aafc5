"""The drawings: what of a series is where."""

import re
from xml.etree import ElementTree as ET

from deviceflow.fleet.report.chart import (
    Mark,
    Plane,
    Series,
    areas,
    highest,
    legend,
    lines,
    stacked_scale,
)
from deviceflow.fleet.report.scale import Scale
from deviceflow.fleet.report.words import number
from tests.stage.fleet import HOSTILE

PLANE = Plane([0.0, 1.0, 2.0, 3.0], Scale(0, 4), Scale(0, 10), [(0.0, "0:00"), (4.0, "0:04")])


def read(drawing: str) -> ET.Element:
    return ET.fromstring(drawing)  # noqa: S314, our own


def paths(drawing: str) -> list[str]:
    return [path.get("d", "") for path in read(drawing).iter("path")]


def test_a_line_is_interrupted_by_a_gap() -> None:
    (path,) = paths(lines(PLANE, [Series("p50", [0, 10, None, 5], 0)], [], ""))
    # To the right and down: 10 is at the top. The value alone is a dot.
    assert path == "M0 1000L250 0M750 500L750 500"


def test_areas_are_on_top_of_each_other() -> None:
    series = [Series("a", [2, 2, 2, 2], 0), Series("b", [8, 8, None, 8], 1)]
    below, above = paths(areas(PLANE, series, [], ""))
    assert below == "M0 800L250 800L500 800L750 800L750 1000L500 1000L250 1000L0 1000Z"
    assert above.startswith("M0 0L250 0L500 800L750 0L750 800")
    assert stacked_scale(series).high == 10


def test_nothing_to_draw_is_no_error() -> None:
    empty = Plane([], Scale(0, 1), Scale(0, 1), [])
    assert paths(lines(empty, [Series("a", [], 0)], [], "")) == [""]
    assert paths(areas(empty, [Series("a", [], 0)], [], "")) == [""]
    assert highest([Series("a", [], 0)], number) == "No figures"


def test_a_fault_is_a_line_with_its_name() -> None:
    drawing = lines(PLANE, [], [Mark(1.0, "a worker is killed"), Mark(3.0, HOSTILE, 3.5)], "")
    marks = [each for each in read(drawing).iter() if "mark" in (each.get("class") or "")]
    assert [each.get("x1") for each in marks if each.tag == "line"] == ["25%", "75%"]
    assert [each.text for each in marks if each.tag == "text"] == ["a worker is killed", HOSTILE]
    (band,) = (each for each in marks if each.tag == "rect")
    assert (band.get("x"), band.get("width")) == ("75%", "12.5%")


def test_names_of_faults_that_are_near_are_not_on_top_of_each_other() -> None:
    marks = [Mark(1.0, "a worker is killed"), Mark(1.2, "b"), Mark(1.8, "c"), Mark(3.9, "d")]
    texts = [each for each in read(lines(PLANE, [], marks, "")).iter("text") if each.get("dx")]
    first, above, before_it, far = (float(each.get("y", "")) for each in texts)
    assert above < first, "it would begin in the name of the first"
    assert before_it < first, "it ends there, to the left of its line"
    assert far == first


def test_the_marks_of_the_axes_and_the_text_for_those_who_do_not_see() -> None:
    drawing = lines(PLANE, [], [], f"Latency {HOSTILE}")
    svg = read(drawing)
    assert (svg.get("role"), svg.get("aria-label")) == ("img", f"Latency {HOSTILE}")
    texts = [each.text for each in svg.iter("text")]
    assert texts == ["0", "2", "4", "6", "8", "10", "0:00", "0:04"]


def test_the_legend_names_the_series() -> None:
    found = legend([Series(HOSTILE, [], 3)])
    assert "<script" not in found
    assert re.findall(r'class="c(\d)"', found) == ["3"]
