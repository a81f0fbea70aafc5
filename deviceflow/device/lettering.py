"""Large letters for a user code, drawn with half blocks, to be read from a distance.

They have the terminal's own colours, so they are readable on light and dark terminals.
"""

from collections.abc import Sequence

# For each group: the characters, then five rows with five points for each of them.
_FONT = """
ABCDEFGHIJKLM
.###. ####. .#### ####. ##### ##### .#### #...# ##### ..### #...# #.... #...#
#...# #...# #.... #...# #.... #.... #.... #...# ..#.. ...#. #..#. #.... ##.##
##### ####. #.... #...# ####. ####. #..## ##### ..#.. ...#. ###.. #.... #.#.#
#...# #...# #.... #...# #.... #.... #...# #...# ..#.. #..#. #..#. #.... #...#
#...# ####. .#### ####. ##### #.... .#### #...# ##### .##.. #...# ##### #...#
NOPQRSTUVWXYZ
#...# .###. ####. .###. ####. .#### ##### #...# #...# #...# #...# #...# #####
##..# #...# #...# #...# #...# #.... ..#.. #...# #...# #...# .#.#. .#.#. ...#.
#.#.# #...# ####. #.#.# ####. .###. ..#.. #...# #...# #.#.# ..#.. ..#.. ..#..
#..## #...# #.... #..#. #..#. ....# ..#.. #...# .#.#. ##.## .#.#. ..#.. .#...
#...# .###. #.... .##.# #...# ####. ..#.. .###. ..#.. #...# #...# ..#.. #####
0123456789-
.###. ..#.. ####. ####. #..#. ##### .###. ##### .###. .###. .....
#..## .##.. ....# ....# #..#. #.... #.... ...#. #...# #...# .....
#.#.# ..#.. .###. .###. ##### ####. ####. ..#.. .###. .#### .###.
##..# ..#.. #.... ....# ...#. ....# #...# .#... #...# ....# .....
.###. .###. ##### ####. ...#. ####. .###. .#... .###. .###. .....
"""
_ROWS = 5
HALF_BLOCKS = " ▄▀█"


def half_blocks(rows: Sequence[Sequence[bool]]) -> list[str]:
    """Draw rows of points, two rows in each line of text. A True point has the text's colour."""
    padded = [*rows, [False] * len(rows[0])] if len(rows) % 2 else list(rows)
    return [
        "".join(HALF_BLOCKS[2 * top + bottom] for top, bottom in zip(upper, lower, strict=True))
        for upper, lower in zip(padded[::2], padded[1::2], strict=True)
    ]


def large(text: str, columns: int) -> list[str]:
    """Draw the text in lines of at most `columns`. Return no lines if it does not fit.

    A text with other characters than those of `_FONT` gives no lines either.
    """
    if not text or not all(character in _GLYPHS for character in text.upper()):
        return []
    glyphs = [_GLYPHS[character] for character in text.upper()]
    rows = [".".join(glyph[row] for glyph in glyphs) for row in range(_ROWS)]
    if len(rows[0]) > columns:
        return []
    return half_blocks([[point == "#" for point in row] for row in rows])


def _glyphs() -> dict[str, list[str]]:
    lines = _FONT.split("\n")[1:-1]
    glyphs = {}
    for start in range(0, len(lines), _ROWS + 1):
        rows = [row.split() for row in lines[start + 1 : start + 1 + _ROWS]]
        for place, character in enumerate(lines[start]):
            glyphs[character] = [row[place] for row in rows]
    return glyphs


_GLYPHS = _glyphs()
