"""The list of events and the fields of a line are as docs/operations/audit.md has them."""

import re

import msgspec

from deviceflow.audit.events import FLOODS, AuditLine, Facts, SecurityEvent
from deviceflow.audit.thinning import LINES_PER_WINDOW, THINNING_WINDOW_S
from tests.stage.checkout import DOCS

PAGE = (DOCS / "operations" / "audit.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, str]:
    """The first cells of the tables below a heading, each with the rest of its row."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE))


def test_each_event_has_its_row() -> None:
    assert set(rows("Events")) == {event.value for event in SecurityEvent}


def test_each_event_is_a_thing_and_what_became_of_it() -> None:
    assert [e.value for e in SecurityEvent if not re.fullmatch(r"[a-z_]+\.[a-z_]+", e)] == []


def test_the_page_says_which_events_are_thinned() -> None:
    told = {event for event, row in rows("Events").items() if "**thinned**" in row}
    assert told == {event.value for event in FLOODS}
    assert f"{LINES_PER_WINDOW} lines of a kind in {THINNING_WINDOW_S} seconds" in PAGE


def test_each_field_has_its_row() -> None:
    fields = {field.name for field in msgspec.structs.fields(AuditLine)} | {"hash"}
    assert set(rows("Fields")) == fields
    assert Facts.__annotations__.keys() < fields
