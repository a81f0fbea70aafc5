"""The README tells the truth."""

import re
from pathlib import Path

from deviceflow.core.grant import TRANSITIONS, State

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_diagram_is_the_table() -> None:
    drawn = README.split("```mermaid\n")[1].split("```")[0].splitlines()
    lines = ["stateDiagram-v2", f"    [*] --> {State.PENDING}"]
    lines += [f"    {state} --> {after}: {event}" for (state, event), after in TRANSITIONS.items()]
    assert drawn == lines


def test_every_file_it_points_to_is_there() -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z-]+)\b", README))
    assert named
    assert {target for target in named if f"\n{target}:" not in makefile} == set()
