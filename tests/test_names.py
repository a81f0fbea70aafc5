"""One name, one home: what is called the same in two modules makes a reader look twice."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import deviceflow

PACKAGE = Path(deviceflow.__file__).parent
# Libraries of their own, which share their field's words with the server.
APART = {"capacity", "device", "conformance", "fleet"}
EXEMPT = {"log"}


def public_names(path: Path) -> Iterator[str]:
    """The names that a module defines at its top level."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names = [node.name]
            case ast.Assign():
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (name for name in names if not name.startswith("_"))


def homes() -> dict[str, set[str]]:
    """The modules that define each name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        module = path.relative_to(PACKAGE)
        if module.parts[0] not in APART:
            for name in public_names(path):
                found[name].add(module.as_posix())
    return found


def test_a_public_name_has_one_home() -> None:
    shared = {name: paths for name, paths in homes().items() if len(paths) > 1}
    assert {name: paths for name, paths in shared.items() if name not in EXEMPT} == {}
