"""Templates of the operator in place of some of the pages'."""

from pathlib import Path

import jinja2
import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.config import Settings
from deviceflow.pages.template_faults import template_faults
from deviceflow.pages.templates import templates_dir
from tests.stage.pages import Browser, OpenBrowser


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "device").mkdir()
    return tmp_path


async def open_own(open_browser: OpenBrowser, settings: Settings, own: Path) -> Browser:
    pages = msgspec.structs.replace(settings.pages, templates_dir=str(own))
    return await open_browser(msgspec.structs.replace(settings, pages=pages))


async def test_one_is_replaced_and_the_others_stay(
    open_browser: OpenBrowser, settings: Settings, own: Path
) -> None:
    text = """{% extends "base.html" %}
      {% block name %}Own{% endblock %}{% block main %}<h1>Own words</h1>{% endblock %}"""
    (own / "device" / "sent.html").write_text(text, "utf-8")
    browser = await open_own(open_browser, settings, own)
    await browser.open("/device/sent")
    assert "Own words" in browser.text
    assert browser.title == "Own · Example Connect"
    await browser.open("/login")
    assert "Own words" not in browser.text
    assert browser.answer.status == 200


async def test_the_code_of_the_look_before_the_start_is_used(
    open_browser: OpenBrowser,
    settings: Settings,
    own: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker compiles nothing anew, and a variable in a text is escaped all the same."""
    text = '{% extends "original/base.html" %}{% block links %}'
    text += '{% trans title="<i>x" %}Own {{ title }}{% endtrans %}{% endblock %}'
    (own / "base.html").write_text(text, "utf-8")
    assert template_faults(str(own), templates_dir()) == []
    monkeypatch.setattr(jinja2.Environment, "_generate", None)
    browser = await open_own(open_browser, settings, own)
    await browser.open("/device/sent")
    assert "Own <i>x" in browser.text, "not as markup"


async def test_a_template_that_has_changed_is_compiled_again(
    open_browser: OpenBrowser, settings: Settings, own: Path
) -> None:
    for words in ("Own words", "Other words"):
        text = f'{{% extends "base.html" %}}{{% block main %}}{words}{{% endblock %}}'
        (own / "device" / "sent.html").write_text(text, "utf-8")
        browser = await open_own(open_browser, settings, own)
        await browser.open("/device/sent")
        assert words in browser.text


async def test_one_block_of_the_frame_of_all_pages(
    open_browser: OpenBrowser, settings: Settings, own: Path
) -> None:
    text = '{% extends "original/base.html" %}{% block links %}<p>Own & foot</p>{% endblock %}'
    (own / "base.html").write_text(text, "utf-8")
    browser = await open_own(open_browser, settings, own)
    for path in ("/login", "/device/sent", "/nowhere"):
        await browser.open(path)
        assert "Own & foot" in browser.text
        assert "Example Connect" in browser.text


async def test_one_that_fails_on_a_page_is_replaced_by_the_original(
    open_browser: OpenBrowser, settings: Settings, own: Path
) -> None:
    """What is found only when a page is shown is no error for the person who opened it."""
    text = '{% extends "original/base.html" %}{% block links %}{{ links.a.b.c }}{% endblock %}'
    (own / "base.html").write_text(text, "utf-8")
    with capture_logs() as logs:
        browser = await open_own(open_browser, settings, own)
        answer = await browser.open("/device/sent")
    assert answer.status == 200
    assert "Did somebody send you the code?" in browser.text
    failed = [line for line in logs if line["event"] == "template.failed"]
    assert "device/sent.html" in {line["template"] for line in failed}
    assert failed[0]["reason"].startswith("UndefinedError: ")
