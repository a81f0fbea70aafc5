"""The statements of the README hold, and no page has a broken link."""

import re
from pathlib import Path

import pytest

from deviceflow.config import Registration, Settings
from deviceflow.core.grant import TRANSITIONS, State
from deviceflow.oauth.openapi.document import document

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md")),
]


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in found}


def test_the_diagram_is_the_table() -> None:
    drawn = README.split("```mermaid\n")[1].split("```")[0].splitlines()
    lines = ["stateDiagram-v2", f"    [*] --> {State.PENDING}"]
    lines += [f"    {state} --> {after}: {event}" for (state, event), after in TRANSITIONS.items()]
    assert drawn == lines


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_everything_that_a_page_points_to_is_there(page: str) -> None:
    """Files, and headings as the place after a `#`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", text)
    assert page != "README.md" or targets
    for file, heading in targets:
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), file
        assert not heading or heading in headings(target), f"{file}#{heading}"


def test_every_endpoint_is_in_the_table() -> None:
    digest = "0" * 64
    registration = Registration(enabled=True, initial_access_token_sha256=(digest,))
    paths = document(Settings(registration=registration))["paths"]
    bases = {path.partition("/{")[0] for path in paths}
    rows = "".join(line for line in README.splitlines() if line.startswith("| "))
    assert {path for path in bases if f"`{path}`" not in rows} == set()


def test_the_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z-]+)\b", README))
    assert named
    assert {target for target in named if f"\n{target}:" not in makefile} == set()


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md", "docs/performance.md"])
def test_the_files_that_a_page_names_exist(page: str) -> None:
    """A path in the package may be written without `deviceflow/`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_/]+/[a-z_.]+\.(?:py|lua|json|toml|po))`", text))
    assert named
    folders = (ROOT, ROOT / "deviceflow")
    gone = {path for path in named if not any((folder / path).is_file() for folder in folders)}
    assert gone == set()


def test_the_rooms_that_the_architecture_draws_exist() -> None:
    drawing = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("```")[1]
    rooms = re.findall(r"^  ([a-z_]+/)  ", drawing, re.MULTILINE)
    folders = {f"{path.name}/" for path in (ROOT / "deviceflow").iterdir() if path.is_dir()}
    assert len(rooms) > 5
    assert set(rooms) <= folders
    assert folders - {"__pycache__/"} <= {*rooms, "cli/"}
