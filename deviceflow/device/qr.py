"""An address as a QR code for a terminal, drawn with half blocks."""

import segno

from deviceflow.device.lettering import half_blocks

# ISO 18004 asks for four light modules around the symbol. Two are enough for most cameras.
_QUIET_ZONE, _NARROW_ZONE = 4, 2
# Colours 16 and 231 are black and white on every terminal: themes change only colours 0 to 15.
_BLACK_ON_WHITE, _RESET = "\x1b[38;5;16;48;5;231m", "\x1b[0m"


def drawing(text: str, columns: int, *, colour: bool, narrow: bool = False) -> list[str]:
    """Draw the QR code of `text` in lines of at most `columns`. Return no lines if it is wider.

    `narrow`: with the smallest margin, to save lines too.

    With `colour`, it is black on white in every terminal. Without, the light modules have the
    text's colour. That is right on a dark terminal, and most phones can read the inverse too.
    """
    try:
        code = segno.make_qr(text, error="l")
    except ValueError:  # segno.DataOverflowError: 2,953 bytes and more
        return []
    width = code.symbol_size(border=0)[0]
    margins = (_NARROW_ZONE,) if narrow else (_QUIET_ZONE, _NARROW_ZONE)
    zones = [zone for zone in margins if width + 2 * zone <= columns]
    if not zones:
        return []
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=zones[0])]
    if colour:
        return [f"{_BLACK_ON_WHITE}{line}{_RESET}" for line in half_blocks(rows)]
    return half_blocks([[not dark for dark in row] for row in rows])
