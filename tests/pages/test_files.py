"""A look at the files of the pages."""

import shutil
from pathlib import Path

import pytest

from deviceflow.config import Pages, Settings
from deviceflow.pages import files
from deviceflow.pages.files import page_faults
from deviceflow.pages.templates import templates_dir


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the templates, which a test may break."""
    folder = tmp_path / "templates"
    shutil.copytree(templates_dir(), folder)
    monkeypatch.setattr(files, "templates_dir", lambda: folder)
    return folder


def test_the_files_are_good(templates: Path) -> None:
    assert list(templates.rglob("*.html"))
    assert page_faults(Settings()) == []


@pytest.mark.parametrize("text", ["{% if %}", "{{ unclosed", "\xff\xfe"])
def test_a_broken_template_is_named(templates: Path, text: str) -> None:
    broken = min(templates.rglob("*.html"))
    broken.write_bytes(text.encode("latin-1"))
    (fault,) = page_faults(Settings())
    assert fault.startswith(f"{broken}: ")


@pytest.mark.parametrize("text", ["msgid", "msgid a", '"\xff"'])
def test_a_broken_catalogue_is_named(tmp_path: Path, text: str) -> None:
    broken = tmp_path / "de.po"
    broken.write_bytes(text.encode("latin-1"))
    (fault,) = page_faults(Settings(pages=Pages(texts_dir=str(tmp_path))))
    assert fault.startswith(f"{broken}: ")


def test_a_file_with_places_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "places.mmdb"
    (fault,) = page_faults(Settings(pages=Pages(geoip_file=str(path))))
    reason = "cannot be read: No such file or directory; expected an MMDB file"
    assert fault == f"pages.geoip_file: {path}: {reason}"


def test_a_language_without_a_catalogue_is_named(tmp_path: Path) -> None:
    (fault,) = page_faults(Settings(pages=Pages(texts_dir=str(tmp_path), languages=("en", "sv"))))
    assert fault == f"{tmp_path / 'sv.po'}: there is no such file, so no texts in sv"
