"""The names of log events have one style, and operators can look up those that warn."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import deviceflow
from tests.stage.checkout import DOCS


@cache
def modules() -> list[ast.Module]:
    """All modules of the package."""
    sources = Path(deviceflow.__file__).parent.rglob("*.py")
    return [ast.parse(path.read_text("utf-8")) for path in sources]


def loggers(module: ast.Module) -> set[str]:
    """The names to which a module assigns a logger."""
    return {
        target.id
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and "get_logger(" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def events(module: ast.Module, levels: set[str] | None = None) -> Iterator[str]:
    """The events that a module logs, at some levels: all texts among the unnamed arguments."""
    names = loggers(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            logger = node.func.value
            at_level = levels is None or node.func.attr in levels
            if isinstance(logger, ast.Name) and logger.id in names and at_level:
                parts = [part for argument in node.args for part in ast.walk(argument)]
                yield from (str(part.value) for part in parts if isinstance(part, ast.Constant))


def test_every_event_is_a_thing_and_what_became_of_it() -> None:
    logged = {name for module in modules() for name in events(module)}
    assert {"grant.decided", "sign_in.failed", "client.unreadable"} <= logged
    assert {name for name in logged if not re.fullmatch(r"[a-z_]+\.[a-z_]+", name)} == set()


def test_every_warning_can_be_looked_up() -> None:
    """An operator who finds one in the log searches the pages for it."""
    pages = (DOCS / "operations").glob("*.md")
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    levels = {"warning", "error", "critical", "exception"}
    logged = {name for module in modules() for name in events(module, levels)}
    assert len(logged) > 20
    assert {name for name in logged if f"`{name}`" not in text} == set()
