"""The scripts: only their functions run them, and they touch the keys that they are given."""

import ast
import re
from collections.abc import Iterator
from inspect import getmembers, iscoroutinefunction
from pathlib import Path

import pytest

from deviceflow.core.grant import CLAIM_RULES, TRANSITIONS
from deviceflow.store import scripts
from deviceflow.store.scripts.lua import source

FOLDER = Path(scripts.__file__).parent
PACKAGE = FOLDER.parent.parent
NAMES = sorted(file.stem for file in FOLDER.glob("*.lua"))
RUNNERS = {"evaluate", "evaluate_durably", "run_each"}


def test_every_script_has_a_function_and_no_function_lacks_a_script() -> None:
    functions = {name for name, _ in getmembers(scripts, iscoroutinefunction)}
    # It runs the script of `create_grant` for several grants.
    assert sorted(functions - {"create_grants"}) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_function_says_what_a_repetition_does(name: str) -> None:
    assert "repetition" in getattr(scripts, name).__doc__


SENDERS = {"connection.py", "shapes/cluster.py", "rights.py"}
"""Files of the store that name the commands: to send them, to send them on, to try them."""


def outside() -> Iterator[ast.AST]:
    """Every node of the package but this folder's and the senders'."""
    senders = {PACKAGE / "store" / name for name in SENDERS}
    for file in PACKAGE.rglob("*.py"):
        if FOLDER not in file.parents and file not in senders:
            yield from ast.walk(ast.parse(file.read_text(encoding="utf-8")))


def test_nothing_else_runs_a_script() -> None:
    nodes = list(outside())
    runs = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr in RUNNERS]
    assert [ast.unparse(node) for node in runs] == []
    texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert texts & {"EVAL", "EVALSHA", "FCALL"} == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_script_touches_no_key_but_those_it_is_given(name: str) -> None:
    calls = re.findall(r"redis\.call\('(\w+)'(?:, ([^,)]+))?", source(name))
    assert calls
    keys = {key for command, key in calls if command != "TIME"}
    assert {key for key in keys if not re.fullmatch(r"KEYS\[([1-4]|place)\]", key)} == set()


def test_both_tables_are_in_the_script() -> None:
    text = source("transition")
    for (state, event), after in TRANSITIONS.items():
        assert f"['{state}:{event}'] = '{after}'" in text
    for event, allowed in CLAIM_RULES.items():
        for whose in allowed:
            assert f"['{event}:{whose}'] = true" in text
    assert text.count("'] = true") == sum(map(len, CLAIM_RULES.values()))
    assert "{{" not in "".join(map(source, NAMES))
