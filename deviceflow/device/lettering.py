"""Letters that can be read from a sofa: a user code, drawn with half blocks.

They are in the terminal's own colours, so they suit light and dark ones.
"""

from collections.abc import Sequence

# Per group: the characters, then five rows with five points for each of them.
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
    """Draw rows of points, two rows in each line of text; a point that is True is ink."""
    padded = [*rows, [False] * len(rows[0])] if len(rows) % 2 else list(rows)
    return [
        "".join(HALF_BLOCKS[2 * top + bottom] for top, bottom in zip(upper, lower, strict=True))
        for upper, lower in zip(padded[::2], padded[1::2], strict=True)
    ]


def large(text: str, columns: int) -> list[str]:
    """Draw the text in lines of at most `columns`; none if it does not fit or cannot be drawn."""
    glyphs = [_GLYPHS.get(character) for character in text.upper()]
    drawn = [glyph for glyph in glyphs if glyph is not None]
    if not drawn or len(drawn) < len(glyphs):
        return []
    rows = [".".join(glyph[row] for glyph in drawn) for row in range(_ROWS)]
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
