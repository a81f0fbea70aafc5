"""Commands with many options: their help has a section for each kind."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
Decorator = Callable[[_Command], _Command]

_OTHERS = "Other options"


class SectionOption(click.Option):
    """An option of a section."""

    def __init__(self, *declarations: Any, section: str, **settings: Any) -> None:  # noqa: ANN401, click's
        super().__init__(*declarations, **settings)
        self.section = section


class SectionCommand(click.Command):
    """A command whose help lists its options by their sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):
            if (record := option.get_help_record(ctx)) is not None:
                title = option.section if isinstance(option, SectionOption) else _OTHERS
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def section(title: str) -> Callable[..., Decorator[Any]]:
    """Return `click.option` for the options of a section."""
    return partial(click.option, cls=SectionOption, section=title)


def with_options(*options: Decorator[_Command]) -> Decorator[_Command]:
    """Add options to a command. Its help lists them in this order."""

    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add
