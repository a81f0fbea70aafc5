"""Groups of commands: their help, and when a command is imported."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

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


class Program(Group):
    """The group of all commands. A command is imported when it is named, or when help lists all.

    So a device that signs in does not wait for the server's modules.
    """

    places: dict[str, str]
    """The commands by name, each as `module:function`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, click's
        """List the names."""
        return sorted(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None if there is none of that name, or a package that it needs."""
        try:
            return self._imported(cmd_name)
        except ModuleNotFoundError as error:
            if _is_ours(error):
                raise
            return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line. Say which package is missing, if one is."""
        try:
            self._imported(args[0])
        except ModuleNotFoundError as error:
            if _is_ours(error):
                raise
            ctx.fail(
                f"`deviceflow {args[0]}` needs the package {error.name}, which is not installed "
                "here. The server's packages come with: pip install deviceflow"
            )
        return super().resolve_command(ctx, args)

    def _imported(self, name: str) -> click.Command | None:
        place = self.places.get(name)
        if place is None:
            return None
        module, _, function = place.partition(":")
        with _garbage_uncollected():
            command: click.Command = getattr(import_module(module), function)
        return command


@contextmanager
def _garbage_uncollected() -> Iterator[None]:
    """Collect no garbage during an import: modules stay, and the search takes a sixth of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _is_ours(error: ModuleNotFoundError) -> bool:
    """Return whether a module of this package is missing, which is a mistake and no choice."""
    return (error.name or "").partition(".")[0] == "deviceflow"
