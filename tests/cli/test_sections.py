"""Help in sections."""

import click
from click.testing import CliRunner

from deviceflow.cli.sections import SectionCommand, section, with_options

_first, _second = section("The first"), section("The second")


@click.command(cls=SectionCommand)
@with_options(_first("--a", help="One."), _second("--b", help="Two."), _first("--c", help="Three."))
def command(a: str | None, b: str | None, c: str | None) -> None:
    click.echo(f"{a} {b} {c}")


def test_help_lists_the_options_by_section_in_their_order() -> None:
    text = CliRunner().invoke(command, ["--help"]).stdout
    words = [text.index(each) for each in ("The first:", "One.", "Three.", "The second:", "Two.")]
    assert words == sorted(words)
    assert text.index("Other options:") < text.index("--help  ")


def test_the_options_are_read() -> None:
    assert CliRunner().invoke(command, ["--b", "1", "--c", "2"]).stdout == "None 1 2\n"
