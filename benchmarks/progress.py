"""The progress on the screen: what is measured now, and how long it will still take."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Steps:
    """A line of progress, of several steps of the same kind."""

    def __init__(self, shown: Progress, task: TaskID) -> None:
        self._shown = shown
        self._task = task

    def now(self, words: str) -> None:
        """Show what is being done."""
        self._shown.update(self._task, now=words)

    def done(self, steps: float = 1) -> None:
        """Advance by some steps."""
        self._shown.advance(self._task, steps)


class Screen:
    """The terminal of a run. Without a terminal, a line is printed at the start of each part."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._shown = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[now]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    @classmethod
    @contextmanager
    def open(cls, console: Console) -> Iterator[Self]:
        """Show progress, as long as the block lasts."""
        screen = cls(console)
        with screen._shown:
            yield screen

    @contextmanager
    def steps(self, title: str, total: int) -> Iterator[Steps]:
        """Show a line for one part."""
        if not self.console.is_terminal:
            self.console.print(f"{title} ...", highlight=False)
        task = self._shown.add_task(title, total=total, now="")
        try:
            yield Steps(self._shown, task)
        finally:
            self._shown.remove_task(task)
