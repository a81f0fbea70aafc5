"""What is wrong with the operator's own templates."""

import shutil
from pathlib import Path

import pytest

from deviceflow.pages.template_faults import template_faults
from deviceflow.pages.templates import templates_dir

DONE = """{% extends "base.html" %}
{% block name %}{{ ending.title }}{% endblock %}
{% block main %}<h1>{{ ending.title }}</h1>{% endblock %}
"""


def faults(own: Path, name: str, text: str) -> list[str]:
    file = own / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return template_faults(str(own), templates_dir())


def test_none(tmp_path: Path) -> None:
    assert template_faults(None, templates_dir()) == []
    assert template_faults(str(tmp_path), templates_dir()) == []
    assert faults(tmp_path, "device/done.html", DONE) == []


def test_a_part_of_the_original(tmp_path: Path) -> None:
    text = '{% extends "original/base.html" %}{% block links %}{{ title }}{{ links }}{% endblock %}'
    assert faults(tmp_path, "base.html", text) == []


def test_every_template_may_be_replaced_by_itself(tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(templates_dir(), own, ignore=shutil.ignore_patterns("static"))
    assert len(list(own.rglob("*.html"))) > 20
    assert template_faults(str(own), templates_dir()) == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("device/dune.html", DONE, "replaces no template; expected one of account/app.html,"),
        ("device/done.html", "{% if %}", "line 1: Expected an expression"),
        ("device/done.html", DONE + "{{ endings }}", "unknown variable endings; expected one of"),
        ("device/done.html", '{% extends "bass.html" %}', "there is no template bass.html"),
        ("device/confirm.html", "<form></form>", "the field csrf_token is missing; expected it"),
    ],
)
def test_one(tmp_path: Path, name: str, text: str, said: str) -> None:
    [fault] = faults(tmp_path, name, text)
    assert fault.startswith(f"{tmp_path / name}: ")
    assert said in fault


def test_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "none"
    expected = f"pages.templates_dir: {path}: no folder; expected one with templates"
    assert template_faults(str(path), templates_dir()) == [expected]
