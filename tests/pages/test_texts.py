"""Every text that a person reads is in the catalogue, and nothing else is."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import nodes
from markupsafe import Markup

from deviceflow.pages import texts
from tests.stage.checkout import ROOT, TEMPLATES

PAGES = ROOT / "deviceflow" / "pages"
# What files.py says is for operators.
SOURCES = sorted(path for path in PAGES.rglob("*.py") if path != PAGES / "files.py")
PATHS = sorted(
    path
    for path in TEMPLATES.rglob("*.html")
    # For developers and for operators: both keep their texts.
    if path.name != "demo.html" and path.parent.name != "console"
)

NO_TEXTS = {"Mac OS X"}
"""Strings of two words that no person reads."""


@pytest.fixture(scope="module")
def written() -> Catalog:
    """The catalogue as it is written."""
    path = ROOT / "deviceflow" / "locale" / texts.LANGUAGE / "LC_MESSAGES" / "deviceflow.po"
    with path.open("rb") as file:
        return read_po(file, locale=texts.LANGUAGE)


def ids(text_id: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """The one id of a text, or the two of a text with a plural."""
    return (text_id,) if isinstance(text_id, str) else tuple(text_id or ())


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_id_is_in_the_catalogue_and_every_entry_is_used(written: Catalog) -> None:
    """`make texts` mends both; it looks where the same table of pyproject.toml says."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["babel"]
    methods = [(mapping["pattern"], mapping["method"]) for mapping in config["mappings"]]
    messages = extract_from_dir(ROOT, methods)
    used = {ids(text_id) for _, _, text_id, _, _ in messages}
    assert len(used) > 100
    assert used == {ids(entry.id) for entry in written if entry.id}


def test_every_entry_has_a_text_without_markup(written: Catalog) -> None:
    for entry in written:
        for text in ids(entry.string):
            assert text, entry.id
            assert "<" not in text or not entry.id, "markup would be shown as it is"


# Variables


def test_every_text_is_given_the_variables_that_it_names(written: Catalog) -> None:
    entries = {ids(entry.id)[0]: ids(entry.string) for entry in written if entry.id}
    calls = [*calls_in_python(), *calls_in_templates()]
    assert {text_id for text_id, _ in calls} == set(entries)
    for text_id, variables in calls:
        for text in entries[text_id]:
            # A singular may leave its number out.
            named = set(re.findall(r"%\((\w+)\)s", text))
            assert named == variables or (named <= variables == {"num"}), text_id
            assert "%" not in re.sub(r"%\(\w+\)s|%%", "", text), text_id


def calls_in_python() -> Iterator[tuple[str, set[str]]]:
    """The ids that Python asks for, each with the names of its variables."""
    for path in SOURCES:
        if path.name == "texts.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in {"gettext", "ngettext"}:
                assert isinstance(node.args[0], ast.Constant), f"a literal id, in {relative(path)}"
                plural = node.func.id == "ngettext"
                names = {str(keyword.arg) for keyword in node.keywords}
                yield str(node.args[0].value), {"num"} if plural else names


def calls_in_templates() -> Iterator[tuple[str, set[str]]]:
    """The same for templates."""
    environment = jinja2.Environment(autoescape=True)
    for path in PATHS:
        for call in environment.parse(path.read_text("utf-8")).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "_":
                [text_id] = call.args
                assert isinstance(text_id, nodes.Const), f"a literal id, in {relative(path)}"
                yield text_id.value, {keyword.key for keyword in call.kwargs}


# Nothing is left outside


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_python_has_no_text_for_people(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    }
    assert {text for text in strings if re.search(r"[A-Za-z]{2} [A-Za-z]", text)} <= NO_TEXTS


@pytest.mark.parametrize("path", PATHS, ids=relative)
def test_a_template_has_no_text_for_people(path: Path) -> None:
    """Neither between its tags nor in an attribute that is read out or shown."""
    source = re.sub("{% block size %}(wide|list){% endblock %}", "", path.read_text("utf-8"))
    page = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", source, flags=re.DOTALL)
    shown = re.findall(r'\b(?:aria-label|alt|title|placeholder)="([^"]*)"', page)
    between = re.sub(r"<[^>]*>", "", page)
    assert not re.search(r"[A-Za-z]", between + "".join(shown))


# How a text is shown


@pytest.fixture
def environment() -> jinja2.Environment:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    texts.install_texts(environment)
    return environment


def test_a_variable_is_escaped(environment: jinja2.Environment) -> None:
    page = environment.from_string('{{ _("device.confirm.name", client=name) }}')
    assert page.render(name="<b>'%(x)s") == "Connect &lt;b&gt;&#39;%(x)s?"


def test_a_template_may_mark_a_variable_up(environment: jinja2.Environment) -> None:
    page = environment.from_string(
        '{% set client %}<i>{{ name }}</i>{% endset %}{{ _("device.confirm.name", client=client) }}'
    )
    assert page.render(name="<b>") == "Connect <i>&lt;b&gt;</i>?"


def test_a_text_brings_no_markup(
    environment: jinja2.Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A translation cannot change what a page does."""
    monkeypatch.setattr(texts.catalogue(), "gettext", lambda _: "<script>%(client)s")
    page = environment.from_string('{{ _("device.confirm.name", client=name) }}')
    assert page.render(name=Markup("<i>")) == "&lt;script&gt;<i>"


def test_a_missing_variable_is_an_error(environment: jinja2.Environment) -> None:
    with pytest.raises(KeyError):
        environment.from_string('{{ _("device.confirm.name") }}').render()
    with pytest.raises(KeyError):
        texts.gettext("device.confirm.name")


def test_python_gets_the_same_text_unescaped() -> None:
    assert texts.gettext("device.confirm.name", client="A & B") == "Connect A & B?"


@pytest.mark.parametrize(("num", "text"), [(0, "0 days"), (1, "1 day"), (2, "2 days")])
def test_a_number_chooses_the_form(environment: jinja2.Environment, num: int, text: str) -> None:
    assert texts.ngettext("words.day", "words.days", num) == text
    page = environment.from_string('{{ ngettext("words.day", "words.days", n) }}')
    assert page.render(n=num) == text


def test_the_catalogue_is_read_once() -> None:
    assert texts.catalogue() is texts.catalogue()
