"""What the pages are made of: the frame with its style sheet, and tables."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from deviceflow.fleet.report.style import SHEET


class Cell(NamedTuple):
    """A cell of a table: its text, its class, and smaller lines below the text."""

    text: str
    kind: str = ""
    more: tuple[str, ...] = ()


_FIGURE = re.compile(r"[0-9:][0-9,.:e+-]*( (us|ms|s|min|h|%|MB))?")


def document(title: str, body: str) -> str:
    """Return a page. `body` is HTML."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{SHEET}</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""


def table(head: Sequence[str], rows: Iterable[Sequence[Cell | str]], *, label: str) -> str:
    """Return a table in a box that scrolls if it is too wide. The first column names the rows."""
    listed = [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    figures = [
        bool(listed) and all(_is_figure(row[place]) for row in listed) for place in range(len(head))
    ]
    heads = "".join(
        f'<th scope="col"{_class("n" if is_figure else "")}>{escape(name)}</th>'
        for name, is_figure in zip(head, figures, strict=True)
    )
    lines = "".join(f"<tr>{_row(row, figures)}</tr>" for row in listed)
    return (
        f'<div class="table" role="region" aria-label="{escape(label)}" tabindex="0"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _row(row: Sequence[Cell], figures: Sequence[bool]) -> str:
    name, *others = row
    cells = [f'<th scope="row"{_class(name.kind)}>{_content(name)}</th>']
    cells += [
        f"<td{_class(f'{cell.kind} n' if is_figure else cell.kind)}>{_content(cell)}</td>"
        for cell, is_figure in zip(others, figures[1:], strict=True)
    ]
    return "".join(cells)


def _content(cell: Cell) -> str:
    return escape(cell.text) + "".join(f"<p>{escape(line)}</p>" for line in cell.more if line)


def _is_figure(cell: Cell) -> bool:
    return not cell.text or _FIGURE.fullmatch(cell.text) is not None


def _class(kind: str) -> str:
    return f' class="{kind.strip()}"' if kind.strip() else ""
