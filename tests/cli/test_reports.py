"""Files with results: what is said before a run, and what happens when one cannot be written."""

from pathlib import Path

import click
import pytest

from deviceflow.cli.reports import STANDARD_OUTPUT, check_reports, write_reports


def test_a_file_in_a_folder_that_is_there(tmp_path: Path) -> None:
    check_reports(tmp_path / "new.html", None, STANDARD_OUTPUT)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "x.html"
    with pytest.raises(click.UsageError, match=f"there is no folder {missing.parent}"):
        check_reports(missing)


def test_two_reports_have_two_files(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="same file"):
        check_reports(tmp_path / "x", None, tmp_path / "x")


def test_a_full_disk_takes_one_report_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full, page = Path("/dev/full"), tmp_path / "page.html"
    with pytest.raises(SystemExit) as caught:
        write_reports({full: lambda: b"{}", None: lambda: b"", page: lambda: b"<html>"})
    assert caught.value.code == 3
    assert capsys.readouterr().err == (
        "Error: /dev/full could not be written: No space left on device.\n"
    )
    assert page.read_bytes() == b"<html>"


def test_standard_output_has_the_bytes_alone(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write_reports({STANDARD_OUTPUT: lambda: b'{"a": 1}\n'})
    assert capsysbinary.readouterr().out == b'{"a": 1}\n'
