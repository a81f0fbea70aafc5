"""Every text that a person reads is in the catalogue, and nothing else is."""

import ast
import re
import shutil
import tomllib
from collections.abc import Iterator
from gettext import GNUTranslations
from pathlib import Path

import jinja2
import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import nodes
from markupsafe import Markup

from deviceflow.config import Pages
from deviceflow.config.sections import DEFAULT_TITLE
from deviceflow.config.settings import DEFAULT_SCOPES
from deviceflow.pages import texts, words
from tests.stage.checkout import ROOT, TEMPLATES

PAGES = ROOT / "deviceflow" / "pages"
# What these say is for operators.
FOR_OPERATORS = {PAGES / name for name in ("files.py", "look.py", "template_faults.py", "texts.py")}
SOURCES = sorted(path for path in PAGES.rglob("*.py") if path not in FOR_OPERATORS)
PATHS = sorted(
    path
    for path in TEMPLATES.rglob("*.html")
    # For developers and for operators: both keep their texts.
    if path.name != "demo.html" and path.parent.name != "console"
)

NO_TEXTS = {"Mac OS X", "no such account", "the account is disabled"}
"""Strings of two words that no person reads."""


TAGS = texts.shipped_languages()


@pytest.fixture(scope="module", params=TAGS)
def written(request: pytest.FixtureRequest) -> Catalog:
    """The catalogue of each language as it is written."""
    return read(request.param)


def read(tag: str) -> Catalog:
    (path,) = texts.catalogue_paths(tag, None)
    with path.open("rb") as file:
        return read_po(file, locale=tag.replace("-", "_"))


def ids(text_id: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """The one id of a text, or the two of a text with a plural."""
    return (text_id,) if isinstance(text_id, str) else tuple(text_id or ())


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_settings_offer_every_language_that_has_texts() -> None:
    assert list(Pages().languages) == TAGS


@pytest.fixture(scope="module")
def used() -> set[tuple[str, ...]]:
    """The ids in the code. `make texts` looks where the same table of pyproject.toml says."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["babel"]
    methods = [(mapping["pattern"], mapping["method"]) for mapping in config["mappings"]]
    return {ids(text_id) for _, _, text_id, _, _ in extract_from_dir(ROOT, methods)}


def test_every_id_is_in_the_catalogue_and_every_entry_is_used(
    written: Catalog, used: set[tuple[str, ...]]
) -> None:
    """`make texts` mends both."""
    assert len(used) > 100
    assert used == {ids(entry.id) for entry in written if entry.id}
    assert not written.obsolete


def test_every_entry_has_a_text_without_markup(written: Catalog) -> None:
    for entry in written:
        assert not entry.fuzzy, entry.id
        for text in ids(entry.string):
            assert text, entry.id
            assert "<" not in text or not entry.id, "markup would be shown as it is"
            assert not re.search(r"&\w+;|[\u200b-\u200f\u2028-\u202e\u2066-\u2069]", text), entry.id


def test_a_number_has_every_form_of_the_language(written: Catalog) -> None:
    """As many as its plural rule tells apart: 2 in English, 3 in Polish, 6 in Arabic."""
    rules = Catalog(locale=written.locale)
    assert written.plural_forms == rules.plural_forms
    for entry in written:
        if entry.pluralizable:
            assert len(ids(entry.string)) == written.num_plurals, entry.id


def test_a_translation_is_as_many_sentences_as_the_english(written: Catalog) -> None:
    """It ends with the same mark, so that what stands beside it fits."""
    marks = str.maketrans("。？؟：！", ".??:!")  # noqa: RUF001 - the marks of other scripts
    english = read("en")
    for entry in written:
        if entry.id and (original := english.get(entry.id)):
            ends = {text.translate(marks)[-1:] for text in ids(entry.string)}
            meant = ids(original.string)[-1][-1]
            assert ends == {meant} if meant in ".?:!" else not ends & {*".?:!"}, entry.id


@pytest.mark.parametrize(
    ("tag", "gendered"),
    [
        ("es", r"usted mism[oa]"),
        ("fr", r"vous (n.)?(êtes|restez|étiez)\b.{0,12}connecté|vous seul"),
        ("it", r"\bsei (stato|uscito|connesso)|resti connesso|tu stesso"),
        ("pt", r"você mesm[oa]|obrigad[oa]"),
    ],
)
def test_no_text_says_whether_the_reader_is_a_man_or_a_woman(tag: str, gendered: str) -> None:
    """The heads of the catalogues ask for it. These are the ways in which it happens."""
    for entry in read(tag):
        found = [text for text in ids(entry.string) if re.search(gendered, text, re.IGNORECASE)]
        assert entry.id == "" or not found, entry.id


@pytest.mark.parametrize("tag", TAGS)
def test_times_are_written_as_in_the_language(tag: str) -> None:
    """With a day, a month, a year; a moment also says that it is in UTC."""
    with texts.speaking(texts.read_language(tag)):
        for said in (words.on(1_793_887_400), words.at(1_793_887_400)):
            assert re.search(r"\b5\b|5日", said), said
            assert "2026" in said
        assert "14:03" in words.at(1_793_887_400)
        assert words.at(1_793_887_400).endswith("UTC")


@pytest.mark.parametrize("tag", ["ar", "de", "fa", "he", "ja", "sv", "ur", "zh-Hans"])
def test_the_direction_of_writing(tag: str) -> None:
    """As Babel has it, whose data would be 1 MB and more for each language."""
    direction = Locale.parse(tag, sep="-").text_direction
    assert texts.Language(tag=tag, catalogue=GNUTranslations()).direction == direction


def test_the_built_in_texts_of_settings_are_those_of_the_catalogue() -> None:
    assert words.scopes_in_words(" ".join(DEFAULT_SCOPES), DEFAULT_SCOPES) == [
        *DEFAULT_SCOPES.values()
    ]
    assert texts.gettext("base.title") == DEFAULT_TITLE


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


def speaks(text: str) -> texts.Language:
    """A language in which every text is `text`."""
    catalogue = GNUTranslations()
    catalogue.gettext = lambda message: text  # type: ignore[method-assign] # noqa: ARG005
    return texts.Language(tag="de", catalogue=catalogue)


def test_a_text_brings_no_markup(environment: jinja2.Environment) -> None:
    """A translation cannot change what a page does."""
    page = environment.from_string('{{ _("device.confirm.name", client=name) }}')
    with texts.speaking(speaks("<script>%(client)s")):
        assert page.render(name=Markup("<i>")) == "&lt;script&gt;<i>"


def test_a_missing_variable_is_an_error(environment: jinja2.Environment) -> None:
    with pytest.raises(KeyError):
        environment.from_string('{{ _("device.confirm.name") }}').render()
    with pytest.raises(KeyError):
        texts.gettext("device.confirm.name")


def test_python_gets_the_same_text_unescaped() -> None:
    assert texts.gettext("device.confirm.name", client="A & B") == "Connect A & B?"


@pytest.mark.parametrize(
    ("tag", "num", "text"),
    [
        ("en", 0, "0 days"),
        ("en", 1, "1 day"),
        ("en", 1234567, "1,234,567 days"),
        ("de", 2, "2 Tage"),
        ("de", 1234567, "1.234.567 Tage"),
        ("pl", 1, "1 dzień"),
        ("pl", 22, "22 dni"),
        ("ar", 1, "يوم واحد"),
        ("ar", 2, "يومين"),
        ("ar", 3, "3 أيام"),
        ("ar", 11, "11 يومًا"),
        ("ar", 100, "100 يوم"),
        ("ja", 1, "1日"),
    ],
)
def test_a_number_chooses_the_form(
    environment: jinja2.Environment, tag: str, num: int, text: str
) -> None:
    page = environment.from_string('{{ ngettext("words.day", "words.days", n) }}')
    with texts.speaking(texts.read_language(tag)):
        assert texts.ngettext("words.day", "words.days", num) == text
        assert page.render(n=num) == text


# Texts that are missing, and texts of the operator

OWN = """
msgid "device.enter.button"
msgstr "Los"

msgid "device.enter.label"
msgstr ""

msgid "words.day"
msgid_plural "words.days"
msgstr[0] "%(num)s Tag"
msgstr[1] ""
"""


def test_an_operator_s_text_comes_first_and_what_is_missing_is_filled(tmp_path: Path) -> None:
    """In a language of this server from its catalogue, in another from the English one."""
    for tag in ("de", "sv"):
        (tmp_path / f"{tag}.po").write_text(OWN, "utf-8")
    for tag, others in (("de", ("Code", "2 Tage", "Noch")), ("sv", ("Code", "2 days", "Try"))):
        with texts.speaking(texts.read_language(tag, tmp_path)):
            assert texts.gettext("device.enter.button") == "Los"
            assert texts.gettext("device.enter.label") == others[0]
            assert texts.ngettext("words.day", "words.days", 2) == others[1]
            assert texts.gettext("button.try_again").startswith(others[2])


def test_a_language_without_texts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(texts.TextsError, match=r"sv\.po: there is no such file"):
        texts.read_language("sv", tmp_path)


def test_outside_a_request_texts_are_english() -> None:
    assert texts.language().tag == "en"
    with texts.speaking(texts.read_language("de")):
        assert texts.language().tag == "de"
    assert texts.language().tag == "en"


def test_a_catalogue_is_read_once_for_each_state_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So workers have what the supervisor has read, and a reload finds what was changed."""
    for tag in ("de", "en"):
        shutil.copytree(texts._LOCALES / tag, tmp_path / tag)
    monkeypatch.setattr(texts, "_LOCALES", tmp_path)
    before = texts.read_language("de")
    assert texts.read_language("de") is before
    path = tmp_path / "de" / "LC_MESSAGES" / "deviceflow.po"
    path.write_text(path.read_text("utf-8").replace('"Deutsch"', '"Hochdeutsch"'), "utf-8")
    after = texts.read_language("de")
    names = [each.catalogue.gettext("language.name") for each in (before, after)]
    assert names == ["Deutsch", "Hochdeutsch"]
