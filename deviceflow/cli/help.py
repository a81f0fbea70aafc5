"""The help of groups of commands."""

import click

_WHOLE = 10_000


class Group(click.Group):
    """A group whose help shows each command's first sentence in full, in several lines if need be.

    click cuts it at the width of the terminal, in the middle of what it says.
    """

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        rows = [
            (name, command.get_short_help_str(_WHOLE))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
