"""The names of log events have one style, so that operators can guess them."""

import re
from pathlib import Path

import deviceflow

CALL = re.compile(r'\b_?log\.(?:debug|info|warning|error|critical|exception)\([^"]*"([^"]*)"')


def test_every_event_is_a_thing_and_what_became_of_it() -> None:
    sources = Path(deviceflow.__file__).parent.rglob("*.py")
    events = {event for path in sources for event in CALL.findall(path.read_text("utf-8"))}
    assert {"grant.decided", "sign_in.failed", "client.unreadable"} <= events
    assert {event for event in events if not re.fullmatch(r"[a-z_]+\.[a-z_]+", event)} == set()
